package main

import (
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/cgen/verify"
)

// What clang says of what is missing
//
// clang's diagnostics name what a program lacks, in words that differ from
// version to version; the quoted parts do not. A name that a missing
// declaration made unknown is reported as if it was missing itself: "u64 now;"
// without u64 makes now unknown, and the kernel may have an enumerator or a
// function now. So what is certain comes first, and a doubtful name is added
// only in a round that has nothing certain left.

// certainty orders what diagnostics tell of.
type certainty uint8

const (
	certain       certainty = iota // it is a type, and this is its name
	likely                         // it is a name, and the kernel has a typedef of that
	doubtful                       // it is a name, and the kernel has a function or enumerator of that
	typedefOnLine                  // it is a typedef with a name that is on the line
	wordOnLine                     // it is an enumerator or a function with such a name
	tagOnLine                      // it is a record or enum with such a name
	wholeOnLine                    // it is members of a record with such a name
	certainties
)

// missing is something that a diagnostic says the header lacks.
type missing struct {
	tag      string // of a record or enum
	ordinary string // typedef, enumerator or function
	member   string // of the record that tag, ordinary or line tells
	line     int    // in the header, of a record without a name; else 0
}

var (
	unknownType = onDemand(`^(?:unknown type name|must use '(?:struct|union|enum)' tag to refer to type) '(\w+)'`)
	undeclared  = onDemand(`^(?:use of undeclared identifier|call to undeclared (?:library )?function|implicit declaration of function|implicitly declaring library function) '(\w+)'`)
	incomplete  = onDemand(`incomplete|never completed|forward references? to 'enum'|is not defined|will not be visible outside`)
	quotedTag   = onDemand(`'(?:[^']*\b)?(?:struct|union|enum) (\w+)[^']*'`)
	noMember    = onDemand(`^(?:no member named '(\w+)' in|field designator '(\w+)' does not refer to any (?:non-static data )?(?:field|member) in type|'(\w+)' is not a member of) (.*)$`)
	noSpecifier = onDemand(`^type specifier missing`)
	quotedName  = onDemand(`'(\w+)'`)
	unnamedAt   = onDemand(`\((?:anonymous|unnamed)[^()]*? at ([^()]+):(\d+):\d+\)`)
)

// missingIn reads a diagnostic. header tells whether a file is the generated
// header.
func missingIn(d verify.Diagnostic, header func(path string) bool) []missing {
	if m := unknownType().FindStringSubmatch(d.Text); m != nil {
		return []missing{{ordinary: m[1]}}
	}
	if m := undeclared().FindStringSubmatch(d.Text); m != nil {
		return []missing{{ordinary: m[1]}}
	}
	if m := noMember().FindStringSubmatch(d.Text); m != nil {
		member, record := m[1]+m[2]+m[3], m[4]
		if at := unnamedAt().FindStringSubmatch(record); at != nil && header(at[1]) {
			line, _ := strconv.Atoi(at[2])
			return []missing{{member: member, line: line}}
		}
		if tag := quotedTag().FindStringSubmatch(record); tag != nil {
			return []missing{{member: member, tag: tag[1]}}
		}
		if name := quotedName().FindStringSubmatch(record); name != nil {
			return []missing{{member: member, ordinary: name[1]}}
		}
		return nil
	}
	if incomplete().MatchString(d.Text) {
		var list []missing
		for _, m := range quotedTag().FindAllStringSubmatch(d.Text, -1) {
			list = append(list, missing{tag: m[1]})
		}
		for _, m := range quotedName().FindAllStringSubmatch(d.Text, -1) {
			list = append(list, missing{ordinary: m[1]})
		}
		return list
	}
	return nil
}

// addMissing adds what diagnostics say is missing: of that, the most certain
// only. It reports whether anything was new.
func (s *slimTypes) addMissing(diagnostics []verify.Diagnostic, header func(path string) bool, text []byte, line func(verify.Diagnostic) string) bool {
	for level := range certainties {
		isNew := false
		for _, d := range diagnostics {
			if level >= typedefOnLine {
				if !d.Warning || noSpecifier().MatchString(d.Text) {
					isNew = s.addWords(line(d), level) || isNew
				}
				continue
			}
			for _, m := range missingIn(d, header) {
				if s.addOne(m, level, d, text) {
					isNew = true
				}
			}
		}
		if isNew {
			return true
		}
	}
	return false
}

func (s *slimTypes) addOne(m missing, level certainty, d verify.Diagnostic, text []byte) bool {
	switch {
	case m.member != "":
		if level != certain {
			return false
		}
		id := s.index.Tags[m.tag]
		switch {
		case m.line > 0:
			return s.addNamed(s.declaredAt(text, m.line), m.member)
		case m.tag == "" && s.view.Type(s.index.Ordinary[m.ordinary]).Kind() == btfdump.KindTypedef:
			id = s.index.Ordinary[m.ordinary]
		case m.tag == "": // for offsetof, records are called so too
			id = s.index.Tags[m.ordinary]
		}
		isNew, found := s.addPath(id, []string{m.member})
		if !found {
			return false
		}
		return isNew
	case m.tag != "":
		return level == certain && s.add(s.index.Tags[m.tag])
	}
	id := s.index.Ordinary[m.ordinary]
	isTypedef := s.view.Type(id).Kind() == btfdump.KindTypedef
	switch level {
	case certain:
		return unknownType().MatchString(d.Text) && isTypedef && s.add(id)
	case likely:
		return isTypedef && s.add(id)
	}
	return s.add(id)
}

// declaredAt returns the type whose declaration in the header has a line.
func (s *slimTypes) declaredAt(text []byte, line int) btfdump.TypeID {
	lines := strings.Split(string(text), "\n")
	for i := min(line, len(lines)) - 1; i >= 0; i-- {
		if m := recordLine().FindStringSubmatch(lines[i]); m != nil {
			return s.index.Tags[m[1]]
		}
		if strings.HasPrefix(lines[i], "typedef ") {
			for _, l := range lines[i:] {
				if m := typedefEnd().FindStringSubmatch(l); m != nil {
					return s.index.Ordinary[m[1]]
				}
			}
		}
	}
	return 0
}

var (
	recordLine = onDemand(`^(?:struct|union) (\w+) \{`)
	typedefEnd = onDemand(`^\}.*?\b(\w+);$`)
	word       = onDemand(`\b(?:(struct|union|enum)\s+)?([A-Za-z_]\w*)`)
)

// addWords adds what the words on a line of the program may stand for, the last
// resort for a diagnostic that names nothing: that on an argument of a builtin,
// on "static __s64 (*f)(void)" without __s64, or on an initializer with more
// values than a record with --fields has members.
func (s *slimTypes) addWords(line string, level certainty) (isNew bool) {
	for _, m := range word().FindAllStringSubmatch(line, -1) {
		tag, ordinary := s.index.Tags[m[2]], s.index.Ordinary[m[2]]
		isTypedef := s.view.Type(ordinary).Kind() == btfdump.KindTypedef
		switch {
		case level == typedefOnLine && m[1] == "" && isTypedef, level == wordOnLine && m[1] == "":
			isNew = s.add(ordinary) || isNew
		case level == tagOnLine && m[1] != "":
			isNew = s.add(tag) || isNew
		case level == wholeOnLine && m[1] != "":
			isNew = s.addWhole(tag) || isNew
		case level == wholeOnLine && isTypedef:
			isNew = s.addWhole(ordinary) || isNew
		}
	}
	return isNew
}

// onDemand compiles a pattern when it is first used: most runs of btfgen use none.
func onDemand(pattern string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })
}
