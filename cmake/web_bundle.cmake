# cmake -DOUT=app.js -DMODULES="first.js;…;app.js" -P web_bundle.cmake
# The page's modules as one file, so that a browser asks once and not twelve times; without Node.
# Each becomes a function that returns what it exports, in the order given: what is imported stands
# before who imports it. It knows the forms that we write (import { a, b } from './x.js', import * as
# x, export [async] function|const|class at the beginning of a line) and refuses any other.
set(bundle "")
foreach(file IN LISTS MODULES)
  get_filename_component(name "${file}" NAME_WE)
  file(READ "${file}" text)
  string(PREPEND text "\n")
  string(REGEX MATCHALL "\nimport [^\n]* from './[a-z_]+[.]js'" wanted "${text}")
  foreach(import IN LISTS wanted)
    string(REGEX REPLACE ".* from './([a-z_]+)[.]js'" "\\1" from "${import}")
    if(NOT bundle MATCHES "\nconst m_${from} = ")
      message(FATAL_ERROR "${name}.js imports ${from}.js, which does not stand before it")
    endif()
  endforeach()
  string(REGEX REPLACE "\nimport [*] as ([A-Za-z]+) from './([a-z_]+)[.]js'" "\nconst \\1 = m_\\2" text "${text}")
  string(REGEX REPLACE "\nimport ({[A-Za-z0-9_, ]+}) from './([a-z_]+)[.]js'" "\nconst \\1 = m_\\2" text "${text}")
  string(REGEX MATCHALL "\nexport (async )?(function|const|class) [A-Za-z0-9_]+" exports "${text}")
  string(REGEX REPLACE "\nexport ((async )?(function|const|class) )" "\n\\1" text "${text}")
  if(text MATCHES "\n((import|export)[^\n(]*)")
    message(FATAL_ERROR "${name}.js: web_bundle.cmake does not know: ${CMAKE_MATCH_1}")
  endif()
  list(TRANSFORM exports REPLACE "^.* " "")
  list(JOIN exports ", " exports)
  string(APPEND bundle "\nconst m_${name} = (() => {${text}return { ${exports} };\n})();\n")
endforeach()
file(WRITE "${OUT}" "${bundle}")
