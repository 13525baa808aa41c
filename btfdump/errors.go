package btfdump

import "fmt"

// FormatError says what is wrong with a BTF blob, and with which of its types.
type FormatError struct {
	ID   TypeID // 0 where no single type is at fault
	Kind Kind   // of that type
	Name string // of that type, "" if it has none or it can't be read
	Msg  string
}

// Error quotes the name: it comes from the input and may hold anything.
func (e *FormatError) Error() string {
	switch {
	case e.ID == 0:
		return "invalid BTF: " + e.Msg
	case e.Name == "":
		return fmt.Sprintf("invalid BTF: type %d (%s): %s", e.ID, e.Kind, e.Msg)
	default:
		return fmt.Sprintf("invalid BTF: type %d (%s %.80q): %s", e.ID, e.Kind, e.Name, e.Msg)
	}
}

// formatErrorf makes the error of a blob as a whole.
func formatErrorf(format string, args ...any) error {
	return &FormatError{Msg: fmt.Sprintf(format, args...)}
}
