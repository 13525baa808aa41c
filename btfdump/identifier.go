package btfdump

// IsIdentifier reports whether a name is what C calls an identifier: letters,
// digits and underscores of ASCII, and no digit first. Names in BTF may hold
// anything; only such ones may be printed as they are.
func IsIdentifier(name string) bool {
	for i, c := range []byte(name) {
		switch {
		case c == '_', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', i > 0 && c >= '0' && c <= '9':
		default:
			return false
		}
	}
	return name != ""
}
