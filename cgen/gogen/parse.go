package gogen

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"go/types"
	"slices"
	"strings"
)

// parse reads the file and type-checks its types and constants, the guards
// among them. Functions are left out, and with them all imports but two.
func (c *verifier) parse(src []byte) error {
	if tokens(src, maxTokens) > maxTokens {
		return fmt.Errorf("%w: more than %d words and signs", ErrTooLarge, maxTokens)
	}
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "", src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	c.file = file
	reduced := &ast.File{Name: file.Name, Package: file.Package, FileStart: file.FileStart, FileEnd: file.FileEnd}
	for _, d := range file.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok == token.VAR {
			continue
		}
		if g.Tok == token.IMPORT {
			kept := *g
			kept.Specs = slices.DeleteFunc(slices.Clone(g.Specs), func(s ast.Spec) bool {
				path := s.(*ast.ImportSpec).Path.Value
				return path != `"unsafe"` && path != `"structs"`
			})
			g = &kept
			for _, s := range g.Specs {
				reduced.Imports = append(reduced.Imports, s.(*ast.ImportSpec))
			}
		}
		reduced.Decls = append(reduced.Decls, g)
	}
	if n := declared(reduced); n > maxDeclared {
		return fmt.Errorf("%w: %d types and constants, of which %d are read", ErrTooLarge, n, maxDeclared)
	}
	var errs []error
	conf := types.Config{Importer: stubImporter{}, Sizes: c.archs[0].sizes, Error: func(err error) {
		if !strings.Contains(err.Error(), "imported and not used") {
			errs = append(errs, err)
		}
	}}
	c.pkg, _ = conf.Check(file.Name.Name, fset, []*ast.File{reduced}, nil)
	if len(errs) > 0 {
		return fmt.Errorf("%w (%d errors in all)", errs[0], len(errs))
	}
	c.collect()
	return nil
}

// maxTokens and maxDeclared bound a Go file: what is parsed takes some 150 bytes a
// token, and what is declared several hundred. All types of a kernel have 4.7
// million tokens, and declare 60,000 names.
const (
	maxTokens   = 12_000_000
	maxDeclared = 1 << 19
)

// declared is how many types and constants a file declares.
func declared(file *ast.File) (n int) {
	for _, d := range file.Decls {
		if g, ok := d.(*ast.GenDecl); ok {
			for _, spec := range g.Specs {
				n++
				if values, ok := spec.(*ast.ValueSpec); ok {
					n += len(values.Names) - 1
				}
			}
		}
	}
	return n
}

// tokens counts a Go file's tokens and comments, up to one more than most.
func tokens(src []byte, most int) (n int) {
	fset := token.NewFileSet()
	var s scanner.Scanner
	s.Init(fset.AddFile("", -1, len(src)), src, nil, scanner.ScanComments)
	for n <= most {
		if _, kind, _ := s.Scan(); kind == token.EOF {
			break
		}
		n++
	}
	return n
}

// stubImporter stands in for the standard library, so that no Go installation
// is needed.
type stubImporter struct{}

func (stubImporter) Import(path string) (*types.Package, error) {
	if path == "unsafe" {
		return types.Unsafe, nil
	}
	if path != "structs" {
		return nil, fmt.Errorf("package %q is not expected in generated code", path)
	}
	p := types.NewPackage(path, path)
	name := types.NewTypeName(token.NoPos, p, "HostLayout", nil)
	types.NewNamed(name, types.NewStruct(nil, nil), nil)
	p.Scope().Insert(name)
	p.MarkComplete()
	return p, nil
}
