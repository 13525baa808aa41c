package main

import (
	"os"
	"regexp"
	"testing"

	"github.com/urfave/cli/v2"
)

// The README and the help must not name flags that do not exist.
func TestDocumentedFlagsExist(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	flags := append(allFlags(newApp()), cli.HelpFlag, cli.VersionFlag)
	commands := regexp.MustCompile("(?m)(?:^    \\$ .*|`[^`\n]*`)")
	seen := 0
	for _, text := range commands.FindAllString(string(readme)+helpTemplate, -1) {
		for _, m := range regexp.MustCompile(`(?:^|[ \x60])--([a-z][a-z-]*)`).FindAllStringSubmatch(text, -1) {
			seen++
			if findFlag(flags, m[1]) == nil {
				t.Errorf("%s: there is no flag --%s", text, m[1])
			}
		}
	}
	if seen < 5 {
		t.Errorf("found only %d flags in the README", seen)
	}
}
