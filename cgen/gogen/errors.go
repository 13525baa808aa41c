package gogen

import (
	"errors"
	"fmt"

	"github.com/btfgen/btfgen/btfdump"
)

// TypeError says which type of the BTF has no Go type, and why.
type TypeError struct {
	ID   btfdump.TypeID
	Kind btfdump.Kind
	Name string // "" for a type without a name
	Err  error
}

func typeError(t btfdump.Type, err error) error {
	return &TypeError{ID: t.ID(), Kind: t.Kind(), Name: t.Name(), Err: err}
}

// ErrTooLarge says that a Go file is larger than any that [Generate] makes of a kernel.
var ErrTooLarge = errors.New("too large a Go file to be verified")

// Error quotes the name, which may hold anything.
func (e *TypeError) Error() string {
	return fmt.Sprintf("type %d (%s %.80q): %v", e.ID, e.Kind, e.Name, e.Err)
}

func (e *TypeError) Unwrap() error { return e.Err }
