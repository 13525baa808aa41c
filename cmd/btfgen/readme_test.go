package main

import (
	"os"
	"regexp"
	"testing"
)

// The README and the help must not name flags that do not exist.
func TestDocumentedFlagsExist(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	flags := allFlags(newApp())
	commands := regexp.MustCompile("(?m)(?:^    \\$ .*|`[^`\n]*`)")
	seen := 0
	for _, text := range commands.FindAllString(string(readme)+everyExample(), -1) {
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

// everyExample are the examples of all manuals, as the README has them.
func everyExample() string {
	text := ""
	for _, command := range []string{"", "check", "verify", "info", "completion"} {
		for _, e := range manualOf(command).examples {
			text += "\n    $ " + e.term
		}
	}
	return text
}
