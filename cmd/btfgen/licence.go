package main

import (
	"errors"
	"fmt"
	"strings"
)

// checkLicence says what is wrong with the form of an SPDX licence expression, such as "GPL-2.0 WITH Linux-syscall-note OR BSD-2-Clause"
// (SPDX specification 2.3, annex D). Whether the licences in it exist is not checked: SPDX adds some every few months.
func checkLicence(expression string) error {
	tokens := strings.Fields(strings.NewReplacer("(", " ( ", ")", " ) ").Replace(expression))
	if len(tokens) == 0 {
		return errors.New("--spdx is empty: give a licence's identifier, such as GPL-2.0 or BSD-2-Clause")
	}
	wrong := func(what string) error {
		return fmt.Errorf("--spdx %q is no SPDX licence expression: %s; examples: GPL-2.0, \"GPL-2.0 OR BSD-2-Clause\"", expression, what)
	}
	open := 0
	wantLicence := true // otherwise an operator, or the end
	with := false       // after WITH, which takes an exception's identifier
	for _, token := range tokens {
		switch {
		case token == "(" && wantLicence && !with:
			open++
		case token == ")" && !wantLicence && open > 0:
			open--
		case token == "(" || token == ")":
			return wrong("a parenthesis is in the wrong place")
		case token == "AND" || token == "OR" || token == "WITH":
			if wantLicence {
				return wrong(fmt.Sprintf("%s needs a licence before it", token))
			}
			wantLicence, with = true, token == "WITH"
		case !wantLicence:
			return wrong(fmt.Sprintf("AND, OR or WITH is missing before %q", token))
		case !isLicenceID(token):
			return wrong(fmt.Sprintf("%q is not made of letters, digits, \".\" and \"-\"", token))
		default:
			wantLicence, with = false, false
		}
	}
	switch {
	case wantLicence:
		return wrong("it ends too early")
	case open > 0:
		return wrong("a parenthesis is not closed")
	}
	return nil
}

// isLicenceID is true for what annex D calls a simple-expression: GPL-2.0, GPL-2.0+, DocumentRef-a:LicenseRef-b.
func isLicenceID(token string) bool {
	token = strings.TrimSuffix(token, "+")
	if document, licence, ok := strings.Cut(token, ":"); ok {
		if !strings.HasPrefix(document, "DocumentRef-") || !strings.HasPrefix(licence, "LicenseRef-") {
			return false
		}
		token = document + licence
	}
	return token != "" && strings.Trim(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-") == ""
}
