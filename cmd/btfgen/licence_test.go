package main

import "testing"

func TestCheckLicence(t *testing.T) {
	for expression, ok := range map[string]bool{
		"GPL-2.0":                         true,
		"GPL-2.0+":                        true,
		"BSD-2-Clause":                    true,
		"GPL-2.0 WITH Linux-syscall-note": true,
		"(GPL-2.0 OR MIT) AND Zlib":       true,
		"((MIT))":                         true,
		"LicenseRef-mine":                 true,
		"DocumentRef-a:LicenseRef-b":      true,

		"":                   false,
		"  ":                 false,
		"GPL 2":              false,
		"MIT OR":             false,
		"OR MIT":             false,
		"MIT AND OR Zlib":    false,
		"MIT */ int evil;":   false,
		"MIT\nZlib":          false,
		"(MIT":               false,
		"MIT)":               false,
		"MIT ( )":            false,
		"()":                 false,
		"MIT (Zlib)":         false,
		"GPL-2.0 WITH (MIT)": false,
		"a:b":                false,
		"+":                  false,
		"GPL_2":              false,
	} {
		if err := checkLicence(expression); (err == nil) != ok {
			t.Errorf("%q: got %v, want it accepted: %t", expression, err, ok)
		}
	}
}
