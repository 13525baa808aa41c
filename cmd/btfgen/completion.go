package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/btfdump/source"
	"github.com/urfave/cli/v2"
)

// completionCommand prints a script for a shell. The scripts ask "btfgen
// completion types" for names after --type: names of the kernel that the input
// names, one a line.
func completionCommand() *cli.Command {
	return &cli.Command{
		Name:      "completion",
		Usage:     "print a script that completes btfgen's command line",
		ArgsUsage: "bash|zsh|fish",
		CustomHelpTemplate: `btfgen completion bash|zsh|fish prints a script that completes btfgen's command line: flags, files, names of types and modules.

   bash   eval "$(btfgen completion bash)"    in ~/.bashrc
   zsh    eval "$(btfgen completion zsh)"     in ~/.zshrc, after compinit
   fish   btfgen completion fish > ~/.config/fish/completions/btfgen.fish
`,
		Action: completion,
	}
}

func completion(c *cli.Context) error {
	args := c.Args().Slice()
	if len(args) >= 2 && args[0] == "types" {
		input := ""
		if len(args) > 2 {
			input = args[2]
		}
		return completeTypes(c.App.Writer, args[1], input)
	}
	if len(args) != 1 {
		return errors.New("name the shell: btfgen completion bash, zsh or fish")
	}
	commands, flags := c.App.VisibleCommands(), allFlags(c.App)
	var script string
	switch args[0] {
	case "bash":
		script = bashScript(commands, flags)
	case "zsh":
		script = zshScript(commands, flags)
	case "fish":
		script = fishScript(commands, flags)
	default:
		return fmt.Errorf("there is no completion for %q: name bash, zsh or fish", args[0])
	}
	_, err := io.WriteString(c.App.Writer, script)
	return err
}

// allFlags are the flags of all commands, each name once.
func allFlags(app *cli.App) []cli.Flag {
	flags := slices.Clone(app.Flags)
	for _, command := range app.Commands {
		for _, flag := range command.Flags {
			if findFlag(flags, flag.Names()[0]) == nil {
				flags = append(flags, flag)
			}
		}
	}
	return flags
}

// completeTypes prints the names of types that start with prefix.
func completeTypes(out io.Writer, prefix, input string) error {
	if input == "-" {
		return nil // nothing to read from while a command line is typed
	}
	kernel, err := source.Open(input, nil, source.Options{Stdin: os.Stdin})
	if err != nil {
		return err
	}
	var names []string
	for t := range kernel.View.All() {
		switch t.Kind() {
		case btfdump.KindStruct, btfdump.KindUnion, btfdump.KindEnum, btfdump.KindEnum64, btfdump.KindTypedef:
			if name := t.Name(); strings.HasPrefix(name, prefix) && btfdump.IsIdentifier(name) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	w := bufio.NewWriter(out)
	for _, name := range slices.Compact(names) {
		fmt.Fprintln(w, name)
	}
	return w.Flush()
}

// A completedFlag is what a script needs to know of a flag.
type completedFlag struct {
	long, short string
	usage       string
	takesValue  bool
}

// completedFlags are the flags that the scripts offer, as the command line has
// them.
func completedFlags(flags []cli.Flag) []completedFlag {
	var all []completedFlag
	for _, flag := range flags {
		documented, ok := flag.(cli.DocGenerationFlag)
		if !ok {
			continue
		}
		f := completedFlag{takesValue: documented.TakesValue()}
		f.usage = plain(documented.GetUsage())
		for _, name := range flag.Names() {
			if len(name) == 1 {
				f.short = name
			} else {
				f.long = name
			}
		}
		all = append(all, f)
	}
	return all
}

// plain takes out of a text what means something to a shell.
func plain(s string) string {
	return strings.NewReplacer("`", "", "'", "", "[", "(", "]", ")", ":", " -").Replace(s)
}

func commandNames(commands []*cli.Command) string {
	var names []string
	for _, command := range commands {
		names = append(names, command.Name)
	}
	return strings.Join(names, " ")
}

func bashScript(commands []*cli.Command, flags []cli.Flag) string {
	var names []string
	for _, f := range completedFlags(flags) {
		names = append(names, "--"+f.long)
		if f.short != "" {
			names = append(names, "-"+f.short)
		}
	}
	return strings.NewReplacer("@COMMANDS@", commandNames(commands), "@FLAGS@", strings.Join(names, " ")).Replace(`# bash completion for btfgen: eval "$(btfgen completion bash)"
_btfgen() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} input= i
	# bash takes the "=" of --type=task for a word of its own
	if [[ $cur == "=" ]]; then cur=; elif [[ $prev == "=" ]]; then prev=${COMP_WORDS[COMP_CWORD-2]}; fi
	for ((i = 1; i < COMP_CWORD - 1; i++)); do
		case ${COMP_WORDS[i]} in -i | --input) input=${COMP_WORDS[i+1]} ;; esac
	done
	COMPREPLY=()
	case $prev in
	--type)
		mapfile -t COMPREPLY < <(btfgen completion types "$cur" "$input" 2>/dev/null)
		return ;;
	-m | --module)
		mapfile -t COMPREPLY < <(compgen -W "all $(ls /sys/kernel/btf 2>/dev/null | grep -vx vmlinux)" -- "$cur"; compgen -f -- "$cur")
		return ;;
	-i | --input | --base | --for | -k | --kernel | --kconfig)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return ;;
	--format)
		mapfile -t COMPREPLY < <(compgen -W "h go btf" -- "$cur")
		return ;;
	--spdx | --release | --max-size) return ;;
	completion)
		mapfile -t COMPREPLY < <(compgen -W "bash zsh fish" -- "$cur")
		return ;;
	esac
	if [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "@FLAGS@" -- "$cur")
	else
		mapfile -t COMPREPLY < <(((COMP_CWORD == 1)) && compgen -W "@COMMANDS@" -- "$cur"; compgen -f -- "$cur")
	fi
}
complete -o filenames -F _btfgen btfgen
`)
}

func zshScript(commands []*cli.Command, flags []cli.Flag) string {
	var specs strings.Builder
	for _, f := range completedFlags(flags) {
		name := "--" + f.long
		if f.takesValue {
			name += "="
		}
		if f.short != "" {
			short := "-" + f.short
			if f.takesValue {
				short += "+"
			}
			name = "'{" + short + "," + name + "}'"
		}
		action := ""
		switch {
		case f.long == "type":
			action = ":type:_btfgen_types"
		case f.long == "module":
			action = ":module:_btfgen_modules"
		case f.long == "input" || f.long == "base" || f.long == "for" || f.long == "kernel" || f.long == "kconfig":
			action = ":file:_files"
		case f.long == "format":
			action = ":format:(h go btf)"
		case f.takesValue:
			action = ":" + f.long + ":"
		}
		fmt.Fprintf(&specs, "\t\t'*%s[%s]%s' \\\n", name, f.usage, action)
	}
	return strings.NewReplacer("@COMMANDS@", commandNames(commands), "@FLAGS@", specs.String()).Replace(`#compdef btfgen
# zsh completion for btfgen: eval "$(btfgen completion zsh)"
_btfgen_types() {
	local -a names
	names=(${(f)"$(btfgen completion types "$PREFIX" "${opt_args[-i]:-${opt_args[--input]}}" 2>/dev/null)"})
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
	if (( CURRENT == 3 )) && [[ $words[2] == completion ]]; then
		compadd bash zsh fish
		return
	fi
	_arguments -s \
@FLAGS@		'1:output or command:_btfgen_first' '*:file:_files'
}
compdef _btfgen btfgen
`)
}

func fishScript(commands []*cli.Command, flags []cli.Flag) string {
	var b strings.Builder
	b.WriteString(`# fish completion for btfgen: btfgen completion fish > ~/.config/fish/completions/btfgen.fish
complete -c btfgen -f -n '__fish_seen_subcommand_from completion' -a 'bash zsh fish'
`)
	for _, command := range commands {
		fmt.Fprintf(&b, "complete -c btfgen -n __fish_is_first_token -a %s -d '%s'\n", command.Name, plain(command.Usage))
	}
	for _, f := range completedFlags(flags) {
		b.WriteString("complete -c btfgen -l " + f.long)
		if f.short != "" {
			b.WriteString(" -s " + f.short)
		}
		switch {
		case f.long == "type":
			b.WriteString(` -x -a '(btfgen completion types (commandline -ct | string replace -r "^--type=" "") 2>/dev/null)'`)
		case f.long == "module":
			b.WriteString(` -r -F -a 'all (ls /sys/kernel/btf 2>/dev/null | string match -v vmlinux)'`)
		case f.long == "input" || f.long == "base" || f.long == "for" || f.long == "kernel" || f.long == "kconfig":
			b.WriteString(" -r -F")
		case f.long == "format":
			b.WriteString(" -x -a 'h go btf'")
		case f.takesValue:
			b.WriteString(" -x")
		}
		fmt.Fprintf(&b, " -d '%s'\n", f.usage)
	}
	return b.String()
}
