package main

import (
	"fmt"
	"slices"
	"strings"
)

// commandNames are the names of all commands but the default one.
func commandNames(commands []completedCommand) []string {
	var names []string
	for _, c := range commands[1:] {
		names = append(names, c.name)
	}
	return names
}

// flagsWith are the names of those flags of any command whose values are of a
// kind, as they are typed, each once.
func flagsWith(commands []completedCommand, kind valueKind) []string {
	var names []string
	for _, c := range commands {
		for _, f := range c.flags {
			if f.values == kind {
				names = append(names, f.dashed(true)...)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// kernelFlags are the names of flags after which the kernel stands from which
// types are completed.
const kernelFlags = "-i | --input | -k | --kernel"

func bashScript(commands []completedCommand) string {
	var flags, arguments, closed strings.Builder
	for _, c := range commands {
		var names []string
		for _, f := range c.flags {
			names = append(names, f.dashed(false)...)
			if f.values == oneOf {
				fmt.Fprintf(&closed, "\t%s) words='%s' ;;\n", strings.Join(f.dashed(true), " | "), strings.Join(f.words, " "))
			}
		}
		fmt.Fprintf(&flags, "\t\t'%s') words='%s' ;;\n", c.name, strings.Join(names, " "))
		if c.words != nil {
			fmt.Fprintf(&arguments, "\t'%s') words='%s' ;;\n", c.name, strings.Join(c.words, " "))
		}
	}
	return strings.NewReplacer(
		"@COMMANDS@", strings.Join(commandNames(commands), " "),
		"@COMMAND@", strings.Join(commandNames(commands), " | "),
		"@KERNEL@", kernelFlags,
		"@FLAGS@", flags.String(), "@ARGUMENTS@", arguments.String(), "@CLOSED@", closed.String(),
		"@TYPE@", strings.Join(flagsWith(commands, aType), " | "),
		"@MODULE@", strings.Join(flagsWith(commands, aModule), " | "),
		"@FILE@", strings.Join(flagsWith(commands, aFile), " | "),
		"@TEXT@", strings.Join(flagsWith(commands, anyText), " | "),
	).Replace(`# bash completion for btfgen: eval "$(btfgen completion bash)"
_btfgen() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} input= command= words= i
	# bash takes the "=" of --type=task for a word of its own
	if [[ $cur == "=" ]]; then cur=; elif [[ $prev == "=" ]]; then prev=${COMP_WORDS[COMP_CWORD-2]}; fi
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		@KERNEL@) ((i < COMP_CWORD - 1)) && input=${COMP_WORDS[i+1]} ;;
		@COMMAND@) [[ -z $command ]] && command=${COMP_WORDS[i]} ;;
		esac
	done
	COMPREPLY=()
	case $prev in
	@TYPE@)
		mapfile -t COMPREPLY < <(btfgen completion types "$cur" "$input" 2>/dev/null)
		return ;;
	@MODULE@)
		mapfile -t COMPREPLY < <(compgen -W "all $(ls /sys/kernel/btf 2>/dev/null | grep -vx vmlinux)" -- "$cur"; compgen -f -- "$cur")
		return ;;
	@FILE@)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return ;;
	@TEXT@) return ;;
@CLOSED@	esac
	if [[ -z $words && $cur == -* ]]; then
		case $command in
@FLAGS@		esac
	fi
	[[ -n $words ]] || case $command in
@ARGUMENTS@	esac
	if [[ -n $words ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
	else
		mapfile -t COMPREPLY < <([[ -z $command ]] && compgen -W "@COMMANDS@" -- "$cur"; compgen -f -- "$cur")
	fi
}
complete -o filenames -F _btfgen btfgen
`)
}

func zshScript(commands []completedCommand) string {
	var specs strings.Builder
	for _, c := range commands {
		fmt.Fprintf(&specs, "\t'%s') specs=(\n", c.name)
		for _, f := range c.flags {
			fmt.Fprintf(&specs, "\t\t%s\n", f.zshSpec())
		}
		switch {
		case c.name == "":
			specs.WriteString("\t\t'1:output or command:_btfgen_first'\n")
		case c.words != nil:
			// the first argument is the command itself
			fmt.Fprintf(&specs, "\t\t'2:%s:(%s)'\n", c.name, strings.Join(c.words, " "))
		}
		if c.words == nil {
			specs.WriteString("\t\t'*:file:_files'\n")
		}
		specs.WriteString("\t\t) ;;\n")
	}
	return strings.NewReplacer(
		"@COMMANDS@", strings.Join(commandNames(commands), " "),
		"@COMMAND@", strings.Join(commandNames(commands), "|"),
		"@SPECS@", specs.String(),
	).Replace(`#compdef btfgen
# zsh completion for btfgen: eval "$(btfgen completion zsh)"
_btfgen_types() {
	local -a names
	local flag input
	for flag in -i --input -k --kernel; do
		[[ -n ${opt_args[$flag]} ]] && input=${(Q)opt_args[$flag]}
	done
	names=(${(f)"$(btfgen completion types "$PREFIX" "$input" 2>/dev/null)"})
	compadd -a names
}
_btfgen_modules() {
	compadd all /sys/kernel/btf/*~*/vmlinux(N:t)
	_files
}
_btfgen_first() {
	compadd @COMMANDS@
	_files
}
_btfgen() {
	local command word
	local -a specs
	for word in ${words[2,CURRENT-1]}; do
		case $word in @COMMAND@) command=$word; break ;; esac
	done
	case $command in
@SPECS@	esac
	_arguments -s : $specs
}
if [[ $funcstack[1] == _btfgen ]]; then
	_btfgen "$@" # it was loaded by name, from a directory in fpath
else
	compdef _btfgen btfgen
fi
`)
}

// zshSpec is a flag in the language of zsh's _arguments. The "*" at its start
// lets it be repeated.
func (f completedFlag) zshSpec() string {
	name := "--" + f.long
	if f.values != noValue {
		name += "="
	}
	if f.short != "" {
		short := "-" + f.short
		if f.values != noValue {
			short += "+"
		}
		name = "'{" + short + "," + name + "}'"
	}
	action := ""
	switch f.values {
	case aType:
		action = ":type:_btfgen_types"
	case aModule:
		action = ":module:_btfgen_modules"
	case aFile:
		action = ":file:_files"
	case oneOf:
		action = ":" + f.long + ":(" + strings.Join(f.words, " ") + ")"
	case anyText:
		action = ":" + f.long + ":"
	}
	usage := strings.NewReplacer(`\`, `\\`, "[", `\[`, "]", `\]`, ":", `\:`, "'", `'\''`).Replace(f.usage)
	return "'*" + name + "[" + usage + "]" + action + "'"
}

func fishScript(commands []completedCommand) string {
	names := strings.Join(commandNames(commands), " ")
	var b strings.Builder
	b.WriteString(`# fish completion for btfgen: btfgen completion fish > ~/.config/fish/completions/btfgen.fish
function __btfgen_types
	set -l input
	set -l words (commandline -opc)
	for i in (seq (count $words))
		switch $words[$i]
			case -i --input -k --kernel
				set input $words[(math $i + 1)]
			case '--input=*' '--kernel=*'
				set input (string replace -r '^--[a-z]+=' '' -- $words[$i])
		end
	end
	btfgen completion types (commandline -ct | string replace -r '^--type=' '') $input 2>/dev/null
end
`)
	for _, c := range commands {
		seen := "'__fish_seen_subcommand_from " + c.name + "'"
		if c.name == "" {
			seen = "'not __fish_seen_subcommand_from " + names + "'"
		} else {
			fmt.Fprintf(&b, "complete -c btfgen -n 'not __fish_seen_subcommand_from %s' -a %s -d %s\n", names, c.name, fishQuote(c.usage))
		}
		if c.words != nil {
			fmt.Fprintf(&b, "complete -c btfgen -n %s -f -a '%s'\n", seen, strings.Join(c.words, " "))
		}
		for _, f := range c.flags {
			fmt.Fprintf(&b, "complete -c btfgen -n %s -l %s", seen, f.long)
			if f.short != "" {
				b.WriteString(" -s " + f.short)
			}
			switch f.values {
			case aType:
				b.WriteString(` -x -a '(__btfgen_types)'`)
			case aModule:
				b.WriteString(` -r -F -a 'all (ls /sys/kernel/btf 2>/dev/null | string match -v vmlinux)'`)
			case aFile:
				b.WriteString(" -r -F")
			case oneOf:
				b.WriteString(" -x -a '" + strings.Join(f.words, " ") + "'")
			case anyText:
				b.WriteString(" -x")
			}
			b.WriteString(" -d " + fishQuote(f.usage) + "\n")
		}
	}
	return b.String()
}

// fishQuote quotes text for fish, in which a backslash means something between
// single quotes, too.
func fishQuote(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(text) + "'"
}
