package llvmir_test

import (
	"fmt"

	"github.com/btfgen/btfgen/cgen/verify/internal/llvmir"
)

// What clang makes of "struct point { int x; } *p;".
func Example() {
	const module = `
@p = global ptr null, align 8, !dbg !0
!0 = !DIGlobalVariableExpression(var: !1, expr: !DIExpression())
!1 = distinct !DIGlobalVariable(name: "p", type: !2, isDefinition: true)
!2 = !DIDerivedType(tag: DW_TAG_pointer_type, baseType: !3, size: 64)
!3 = distinct !DICompositeType(tag: DW_TAG_structure_type, name: "point", size: 32, elements: !4)
!4 = !{!5}
!5 = !DIDerivedType(tag: DW_TAG_member, name: "x", scope: !3, baseType: !6, size: 32)
!6 = !DIBasicType(name: "int", size: 32, encoding: DW_ATE_signed)
`
	m, err := llvmir.Read([]byte(module), "p")
	if err != nil {
		fmt.Println(err)
		return
	}
	pointer := m.Types.Type(m.Variables["p"].Type)
	record := m.Types.Type(pointer.Ref())
	fmt.Println(record.Kind(), record.Name(), record.Size(), "bytes:", record.Member(0).Name)
	// Output: struct point 4 bytes: x
}
