# bash completion of breakeven-agent and breakeven-collector: commands, options, files.
# Options come from each command's own --help, so this file does not grow old.
_breakeven() {
    local program=$1 word=$2 commands
    if [ "$COMP_CWORD" -eq 1 ]; then
        commands=$("$program" --help 2>/dev/null | awk '/^Commands:/ { on = 1; next } on && /^  [a-z]/ { print $1 }')
        mapfile -t COMPREPLY < <(compgen -W "$commands --help --version" -- "$word")
        return
    fi
    case $word in
    -*)
        mapfile -t COMPREPLY < <(compgen -W "$("$program" "${COMP_WORDS[1]}" --help 2>/dev/null |
            grep -oE -e '--[a-z][a-z-]+' | sort -u)" -- "$word")
        ;;
    *) mapfile -t COMPREPLY < <(compgen -f -- "$word") ;;
    esac
}
complete -o filenames -F _breakeven breakeven-agent breakeven-collector
