package verify

import "strings"

// Dependencies reads the files of a rule that clang's -M, -MD and their like write
// for make, behind the first colon. A newline in a name ends the name.
func Dependencies(rule string) []string {
	_, rule, _ = strings.Cut(rule, ":")
	var files []string
	var file strings.Builder
	end := func() {
		if file.Len() > 0 {
			files = append(files, file.String())
			file.Reset()
		}
	}
	for i := 0; i < len(rule); i++ {
		switch c := rule[i]; c {
		case '\\':
			n := 1
			for i+n < len(rule) && rule[i+n] == '\\' {
				n++
			}
			i += n - 1
			next := byte(0)
			if i+1 < len(rule) {
				next = rule[i+1]
			}
			switch {
			case next == ' ' && n%2 == 1, next == '\n' && n == 1 && file.Len() == 0:
				// Of those before a blank clang doubles each, and one is for the blank.
				file.WriteString(strings.Repeat(`\`, n/2))
				if i++; next == ' ' {
					file.WriteByte(next)
				}
			case next == '#':
				file.WriteString(strings.Repeat(`\`, n-1) + "#")
				i++
			default: // they stand for themselves
				file.WriteString(strings.Repeat(`\`, n))
			}
		case '$':
			if i+1 < len(rule) && rule[i+1] == '$' {
				i++
			}
			file.WriteByte('$')
		case ' ', '\n':
			end()
		default:
			file.WriteByte(c)
		}
	}
	end()
	return files
}
