# cmake -DOUT=DIR -DFILES="a;b" -P web_assets.cmake
# The page's files as bytes of the program: each packed by gzip (-9n: no name, no time, so that
# a build can be repeated), included as it is and packed (web_assets.S), with the SHA-256 of both
# as ETags (web_assets.c; struct web_asset of collector/web.h).
find_program(GZIP gzip REQUIRED)
set(type_html "text/html; charset=utf-8")
set(type_css "text/css; charset=utf-8")
set(type_js "text/javascript; charset=utf-8")
set(type_svg "image/svg+xml")

set(bytes "    .section .rodata\n")
set(names "")
set(rows "")
set(n 0)

function(include_bytes label file)
  string(APPEND bytes "    .global ${label}, ${label}_end\n${label}:\n    .incbin \"${file}\"\n"
    "${label}_end:\n    .byte 0\n")
  string(APPEND names "extern const char ${label}[], ${label}_end[];\n")
  set(bytes "${bytes}" PARENT_SCOPE)
  set(names "${names}" PARENT_SCOPE)
endfunction()

foreach(file IN LISTS FILES)
  get_filename_component(name "${file}" NAME)
  get_filename_component(kind "${file}" LAST_EXT)
  string(SUBSTRING "${kind}" 1 -1 kind)
  execute_process(COMMAND ${GZIP} -9nc "${file}" OUTPUT_FILE "${OUT}/${name}.gz"
    COMMAND_ERROR_IS_FATAL ANY)
  file(SHA256 "${file}" plain)
  file(SHA256 "${OUT}/${name}.gz" packed)
  include_bytes(web_plain_${n} "${file}")
  include_bytes(web_packed_${n} "${OUT}/${name}.gz")
  string(APPEND rows "    { \"${name}\", \"${type_${kind}}\",\n"
    "      { web_plain_${n}, web_plain_${n}_end, \"\\\"${plain}\\\"\" },\n"
    "      { web_packed_${n}, web_packed_${n}_end, \"\\\"${packed}\\\"\" } },\n")
  math(EXPR n "${n} + 1")
endforeach()

file(WRITE "${OUT}/web_assets.S" "${bytes}    .section .note.GNU-stack, \"\", %progbits\n")
file(WRITE "${OUT}/web_assets.c" "/* Made by cmake/web_assets.cmake. */\n"
  "#include \"collector/web.h\"\n\n${names}\n"
  "const struct web_asset web_assets[] = {\n${rows}    { 0 },\n};\n")
