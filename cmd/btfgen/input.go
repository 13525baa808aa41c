package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/btfgen/btfgen/btfdump/source"
	"github.com/urfave/cli/v2"
)

// inputFlags say which types of which kernel.
func inputFlags() []cli.Flag {
	return append([]cli.Flag{
		&cli.StringFlag{Name: "input", Aliases: []string{"i"}, Usage: "kernel to read: a `FILE`, directory, prog:ID, map:ID or btf:ID; \"-\": standard input; default: the running one"},
		&cli.StringSliceFlag{Name: "module", Aliases: []string{"m"}, Usage: "add a `MODULE`: a file, the name of one that is loaded or in the kernel's package or tree, or \"all\" of those; repeatable"},
		&cli.StringSliceFlag{Name: "type", Usage: "only types whose names match `GLOB`, and what they need; repeatable"},
	}, openFlags()...)
}

// openFlags say how an input is to be opened.
func openFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "base", Usage: "the kernel that a module stands on, if the input is a module: a `FILE` as for --input"},
		&cli.StringFlag{Name: "release", Usage: "the `RELEASE` to read where the input has several kernels, as uname -r prints it"},
		&cli.StringFlag{Name: "max-size", Usage: "let a file or layer unpack to `SIZE` bytes (K, M, G may follow) rather than 1G"},
	}
}

// sourceOptions are what openFlags were set to.
func sourceOptions(c *cli.Context) (source.Options, error) {
	maxSize, err := parseSize(c.String("max-size"))
	return source.Options{Stdin: c.App.Reader, Base: c.String("base"), Release: c.String("release"), MaxSize: maxSize}, err
}

// parseSize reads a number of bytes such as 512M; "" is 0.
func parseSize(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	digits, shift := text, 0
	if i := strings.IndexByte("KMG", strings.ToUpper(text)[len(text)-1]); i >= 0 {
		digits, shift = text[:len(text)-1], 10*(i+1)
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n <= 0 || n > 1<<62>>shift {
		return 0, fmt.Errorf("--max-size %q is no size: give a number of bytes, such as 4G or 500M", text)
	}
	return n << shift, nil
}

// inputHint returns which flag helps with an error of an input, to be put behind
// it; "" if none does.
func inputHint(err error) string {
	var notShown *source.NotShownError
	if errors.As(err, &notShown) && len(notShown.Files) > 0 {
		return ": give it with -i " + notShown.Files[0]
	}
	return ""
}
