package core_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/goldens/btftest"
)

// An edit is a kernel whose types are those of testdata/relocate/records.h but
// for some changes.
type edit struct {
	name string
	// changes are texts of records.h, each followed by what stands in its place.
	changes []string
	more    string // further types
}

// apply returns the edited types and a variable for each of them: compilers
// leave out what nothing uses.
func (e *edit) apply(t testing.TB, records string) string {
	t.Helper()
	for i := 0; i < len(e.changes); i += 2 {
		if n := strings.Count(records, e.changes[i]); n != 1 {
			t.Fatalf("%s: %q stands %d times in the records", e.name, e.changes[i], n)
		}
		records = strings.Replace(records, e.changes[i], e.changes[i+1], 1)
	}
	records = strings.ReplaceAll(records, " RECORD", "") + e.more
	var b strings.Builder
	b.WriteString(records)
	for i, m := range namedType.FindAllStringSubmatch(records, -1) {
		name := m[1]
		if m[2] != "" || m[3] != "" {
			name = m[2] + m[3]
		}
		fmt.Fprintf(&b, "%s *used_%d;\n", name, i)
	}
	return b.String()
}

var namedType = regexp.MustCompile(`(?m)^((?:struct|union|enum) \w+) \{|^typedef [^{}]*?\b(\w+)(?:\)\([^{};]*\)|\[\d+\]|\([^{};]*\))?;$|^\} (\w+);$`)

// pad moves what follows it by so many bytes.
func pad(bytes string) string { return "char padding[" + bytes + "]; " }

var edits = []edit{
	{name: "the same"},
	{name: "other order", changes: []string{
		"\tu8 c;\n\ts8 sc;\n", "\tlong sgl;\n", "\tunsigned long ul;\n\tlong sgl;\n", "\tu8 c;\n\ts8 sc;\n\tunsigned long ul;\n",
		"struct nested {\n\tint head;\n\tstruct inner in;", "struct nested {\n\tstruct inner in;\n\tint head;",
		"\tint a;\n\tu64 b;\n\tstruct {", "\tu64 b;\n\tint a;\n\tstruct {",
	}},
	{name: "shifted", changes: []string{
		"struct plain {", "struct plain { " + pad("24"),
		"struct nested {", "struct nested { " + pad("100"),
		"struct bits {", "struct bits { " + pad("5"),
		"struct bits_wide {", "struct bits_wide { u8 first : 5;",
		"struct single {", "struct single { " + pad("12"),
		"struct flex {", "struct flex { " + pad("1"),
	}},
	{name: "far away", changes: []string{
		"struct plain {", "struct plain { " + pad("32748"),
		"struct nested {", "struct nested { " + pad("40000"),
		"struct arrays {", "struct arrays { " + pad("100000000"),
		"struct enums {", "struct enums { " + pad("32767"),
		"struct single {", "struct single { " + pad("0x08000000"),
	}},
	{name: "renamed", changes: []string{
		"\tu32 i;\n", "\tu32 i_;\n", "\tu64 l;\n", "\tu64 ll;\n", "\tint head;\n", "\tint Head;\n", "\ts16 deep;\n", "\ts16 deeper;\n",
		"\tu32 b : 7;", "\tu32 bb : 7;", "\tu8 f : 1;", "\tu8 ff : 1;", "\tint only;\n", "\tint lonely;\n",
	}},
	{name: "renamed with a flavor", changes: []string{
		"\tu32 i;\n", "\tu32 i___v2;\n", "\tint only;\n", "\tint only___v2;\n", "\tint head;\n", "\tint head___v2;\n",
	}},
	{name: "removed", changes: []string{
		"\tu32 i;\n", "", "\tstruct inner in;\n\tstruct inner *ptr;", "\tstruct inner *ptr;", "\tint ints[8];\n", "", "\ts32 c : 5;\n", "",
		"\tint one;\n\tstruct inner two;", "\tint one;", "\tstruct inner tail[];\n", "", "\tu64 b;\n", "", "\tstruct list *next, *prev;", "\tstruct list *next;",
	}},
	{name: "into anonymous records", changes: []string{
		"\tu32 i;\n", "\tunion { u32 i; u64 fill; };\n", "\tu64 l;\n", "\tstruct { u64 before; union { struct { u32 between; struct { u64 l; }; }; }; };\n",
		"\tint head;\n", "\tunion { struct { struct { int other; }; union { int head; }; }; };\n",
		"\tu32 a : 3;\n", "\tunion { u32 a : 3; };\n", "\tint ints[8];", "\tunion { u8 bytes[32]; struct { u64 first; int ints[8]; }; };",
		"\tint only;\n", "\tstruct { int not; }; struct { struct { int neither; }; int only; };\n",
	}},
	{name: "out of anonymous records", changes: []string{
		"\tstruct {\n\t\ts16 deep;\n\t\tunion {\n\t\t\tu32 low;\n\t\t\tu8 bytes[4];\n\t\t};\n\t};", "\ts16 deep;\n\tu32 low;\n\tu8 bytes[4];",
		"\tunion {\n\t\tint x;\n\t\tstruct {\n\t\t\ts16 y1;\n\t\t\ts16 y2;\n\t\t};\n\t};", "\tint x;\n\ts16 y1;\n\ts16 y2;",
		"\tstruct {\n\t\tstruct {\n\t\t\tu64 far;\n\t\t};\n\t\tu32 near;\n\t};", "\tu64 far; u32 near;",
	}},
	{name: "into named records", changes: []string{
		"\tu32 i;\n", "\tstruct { u32 i; } moved;\n", "\tint head;\n", "\tunion { int head; } moved;\n", "\tu32 a : 3;\n", "\tstruct { u32 a : 3; } moved;\n",
	}},
	{name: "unions for structs", changes: []string{
		"struct plain {", "union plain {", "union uni {", "struct uni {", "struct inner {", "struct inner {", "struct single {", "union single {",
		"struct wrapper {\n\tstruct {", "struct wrapper {\n\tunion {",
		"struct plain *first;", "union plain *first;", "\tunion uni u;", "\tstruct uni u;",
	}},
	{name: "inner is a union", changes: []string{"struct inner {", "typedef struct inner_ inner_later;\nstruct inner_ {", "struct plain {", "struct inner { struct inner_ b; };\nstruct plain {"}},
	{name: "integers become pointers", changes: []string{
		"\tu8 c;\n", "\tvoid *c;\n", "\tu64 l;\n", "\tvoid *l;\n", "\tu32 i;\n", "\tint (*i)(void);\n", "\tstruct inner in;\n\tstruct inner *ptr;", "\tstruct inner *in;\n\tu64 ptr;",
		"\tvoid *v;\n", "\tu64 v;\n", "\tint only;\n", "\tvoid *only;\n",
	}},
	{name: "records become others", changes: []string{
		"\tu32 i;\n", "\tstruct inner i;\n", "\tstruct inner in;\n\tstruct inner *ptr;", "\tu32 in;\n\tstruct inner ptr;", "\tstruct inner arr[4];", "\tstruct inner arr;",
		"\tstruct inner recs[3];\n", "\tunion { int c; struct { u64 pad, b; } d; } recs[3];\n", "\tstruct inner tail[];\n", "\tint tail[];\n",
		"\t\tstruct nested *second;", "\t\tstruct nested second;",
	}},
	{name: "wider", changes: []string{
		"\tu8 c;\n", "\tu64 c;\n", "\ts8 sc;\n", "\ts64 sc;\n", "\tu16 s;\n", "\tu32 s;\n", "\ts16 ss;\n", "\ts32 ss;\n", "\tu32 i;\n", "\tu64 i;\n", "\ts32 si;\n", "\ts64 si;\n",
		"\tu64 l;\n", "\tunsigned __int128 l;\n", "\tboolean t;\n", "\tu32 t;\n", "\tu8 bytes[4];", "\tu16 bytes[4];", "\tchar name[16];", "\tu32 name[16];", "\tint only;\n", "\tlong only;\n",
	}},
	{name: "narrower", changes: []string{
		"\tu64 l;\n", "\tu8 l;\n", "\ts64 sl;\n", "\ts8 sl;\n", "\tu32 i;\n", "\tu16 i;\n", "\ts32 si;\n", "\ts16 si;\n", "\tu16 s;\n", "\tu8 s;\n",
		"\tunsigned long ul;\n", "\tunsigned ul;\n", "\tlong sgl;\n", "\tint sgl;\n", "\tu16 shorts[4];", "\tu8 shorts[4];", "\tint ints[8];", "\tu16 ints[8];", "\tu64 *pointers[2];", "\tu32 pointers[2];",
	}},
	{name: "other signs", changes: []string{
		"\tu8 c;\n", "\ts8 c;\n", "\ts8 sc;\n", "\tu8 sc;\n", "\tu16 s;\n", "\ts16 s;\n", "\ts16 ss;\n", "\tu16 ss;\n", "\tu32 i;\n", "\ts32 i;\n", "\ts32 si;\n", "\tu32 si;\n",
		"\tu64 l;\n", "\ts64 l;\n", "\ts64 sl;\n", "\tu64 sl;\n", "\tchar ch;\n", "\tunsigned char ch;\n", "\ts32 c : 5;", "\tu32 c : 5;", "\tu32 b : 7;", "\ts32 b : 7;", "\ts16 deep;", "\tu16 deep;",
	}},
	{name: "other signs and wider", changes: []string{
		"\tu8 c;\n", "\ts16 c;\n", "\ts8 sc;\n", "\tu16 sc;\n", "\tu16 s;\n", "\ts64 s;\n", "\ts16 ss;\n", "\tu32 ss;\n", "\tu32 i;\n", "\ts64 i;\n", "\ts32 si;\n", "\tu64 si;\n", "\tchar ch;\n", "\tboolean ch;\n",
		"\tboolean t;\n", "\tchar t;\n",
	}},
	{name: "enums and floats for integers", changes: []string{
		"\tu8 c;\n", "\tenum color c;\n", "\tu32 i;\n", "\tenum color i;\n", "\tu64 l;\n", "\tdouble l;\n", "\ts32 si;\n", "\tfloat si;\n", "\ts64 sl;\n", "\tenum big sl;\n",
		"\tfloat f;\n", "\tdouble f;\n", "\tdouble d;\n", "\tu64 d;\n",
	}},
	{name: "integers for enums", changes: []string{
		"\tenum color c;\n\tenum big b;", "\tu32 c;\n\tu64 b;", "\tenum negative n;", "\tint n;", "\tenum flavored f;", "\tu8 f;", "\tcolor_td c;", "\tint c;", "\tenum color h : 4;", "\tu32 h : 4;",
	}},
	{name: "other enums", changes: []string{
		"\tenum color c;\n\tenum big b;", "\tenum big c;\n\tenum color b;", "\tenum negative n;", "\tenum { N1 = -1, N2 } n;", "\tenum flavored f;", "\tenum flavored___v2 { F1 } f;",
	}},
	{name: "enumerators gone", changes: []string{"GREEN = 5, ", "", "FLAVORED_ONE = 1, FLAVORED_TWO", "FLAVORED_ONE = 1", "BIG_HUGE = 0x123456789aULL, ", "", "MINUS = -3, ", ""}},
	{name: "enumerators renumbered", changes: []string{
		"RED, GREEN = 5, BLUE = 0x7fffffff", "BLUE = -2, GREEN = 0x7ffffffe, RED = 7", "BIG_SMALL = 1, BIG_HUGE = 0x123456789aULL, BIG_TOP = 0xfedcba9876543210ULL", "BIG_TOP = 3, BIG_HUGE = 2, BIG_SMALL = 0xffffffffffffffffULL",
		"MINUS = -3, PLUS = 3", "MINUS = 3, PLUS = -3", "FLAVORED_ONE = 1, FLAVORED_TWO", "FLAVORED_ONE = 0x80000000, FLAVORED_TWO",
	}},
	{name: "enumerators of other sizes", changes: []string{
		"RED, GREEN = 5, BLUE = 0x7fffffff", "RED, GREEN = 0x500000000, BLUE = -0x7fffffffffffffff", "BIG_SMALL = 1, BIG_HUGE = 0x123456789aULL, BIG_TOP = 0xfedcba9876543210ULL", "BIG_SMALL, BIG_HUGE, BIG_TOP",
		"enum negative { MINUS = -3, PLUS = 3 };", "enum negative { MINUS = -3, PLUS = 0x300000000 };", "enum flavored { FLAVORED_ONE = 1, FLAVORED_TWO };", "enum flavored { FLAVORED_ONE = 1, FLAVORED_TWO } __attribute__((packed));",
	}},
	{name: "enumerators with flavors", changes: []string{
		"RED, GREEN = 5, BLUE = 0x7fffffff", "RED___v2 = 2, GREEN___v2 = 6, BLUE___v2", "FLAVORED_ONE = 1, FLAVORED_TWO", "FLAVORED_TWO___a = 8, FLAVORED_TWO___b = 9, FLAVORED_TWO = 10, FLAVORED_ONE = 1",
	}},
	{name: "bitfields grown", changes: []string{
		"\tu32 a : 3;", "\tu32 a : 13;", "\tu32 b : 7;", "\tu32 b : 31;", "\ts32 c : 5;", "\ts32 c : 32;", "\tu64 d : 30;", "\tu64 d : 63;", "\ts64 e : 9;", "\ts64 e : 33;", "\tu16 g : 11;", "\tu16 g : 16;",
		"\tu8 three : 5;", "\tu32 three : 17;", "\tu32 bit : 3;", "\tu64 bit : 64;",
	}},
	{name: "bitfields shrunk", changes: []string{
		"\tu32 a : 3;", "\tu32 a : 1;", "\tu32 b : 7;", "\tu32 b : 1;", "\ts32 c : 5;", "\ts32 c : 2;", "\tu64 d : 30;", "\tu8 d : 3;", "\tu16 g : 11;", "\tu16 g : 1;", "\tu32 wide : 30;", "\tu32 wide : 1;",
	}},
	{name: "bitfields moved", changes: []string{
		"\tu32 a : 3;", "\tu32 first : 17; u32 a : 3;", "\tu16 g : 11;", "\tu16 : 0; u16 g : 11;", "\tu64 d : 30;", "\tu64 filler[3]; u64 bit : 1; u64 d : 30;",
		"\ts32 cross : 20;", "\ts32 : 0; s32 : 5; s32 cross : 20;",
	}},
	{name: "plain for bitfields", changes: []string{
		"\tu32 a : 3;", "\tu32 a;", "\tu32 b : 7;", "\tu8 b;", "\ts32 c : 5;", "\ts64 c;", "\tu64 d : 30;", "\tu64 d;", "\tu8 three : 5;", "\tu8 three;", "\tenum color h : 4;", "\tenum color h;", "\tboolean k : 1;", "\tboolean k;", "\tu32 bit : 3;", "\tu32 bit;",
	}},
	{name: "bitfields for plain", changes: []string{
		"\tu32 i;\n", "\tu32 i : 17;\n", "\tu64 l;\n", "\tu64 l : 3;\n", "\tu32 whole;", "\tu32 whole : 32;", "\tu8 c;\n", "\tu8 c : 8;\n", "\ts64 sl;\n", "\ts64 sl : 40;\n", "\tboolean t;\n", "\tboolean t : 1;\n",
		"\tint only;\n", "\tint not : 3; int only : 20;\n", "\tenum color c;\n\tenum big b;", "\tenum color c : 31;\n\tenum big b : 60;",
	}},
	{name: "packed", changes: []string{
		"\tu16 last : 9;\n} RECORD;", "\tu16 last : 9;\n} __attribute__((packed));", "\tlong sgl;\n} RECORD;", "\tlong sgl;\n} __attribute__((packed));", "\tu32 whole;\n} RECORD;", "\tu32 whole;\n} __attribute__((packed));",
	}},
	{name: "packed and too wide", changes: []string{
		"\tu16 last : 9;\n} RECORD;", "\tu16 last : 9;\n} __attribute__((packed));", "\tu8 lead : 3;", "\tu8 lead : 7;", "\tu64 huge : 62;", "\tu64 huge : 64;",
	}},
	{name: "bitfields of __int128", changes: []string{"\tu64 huge : 62;", "\tunsigned __int128 huge : 100;", "\tu32 a : 3;", "\t__int128 a : 3;", "\ts32 c : 5;", "\t__int128 c : 70;"}},
	{name: "arrays shrunk", changes: []string{
		"\tint ints[8];", "\tint ints[4];", "\tstruct inner recs[3];", "\tstruct inner recs[2];", "\tint matrix[2][3];", "\tint matrix[2][2];", "\tchar name[16];", "\tchar name[8];", "\tu16 shorts[4];", "\tu16 shorts[1];",
		"\tstruct inner arr[4];", "\tstruct inner arr[3];", "\tu64 *pointers[2];", "\tu64 *pointers[1];", "\tu8 bytes[4];", "\tu8 bytes[2];", "\tu8 raw[8];", "\tu8 raw[1];", "\tarray_td arr;", "\tint arr[2];",
	}},
	{name: "arrays grown", changes: []string{
		"\tint ints[8];", "\tint ints[80];", "\tstruct inner recs[3];", "\tstruct inner recs[30];", "\tint matrix[2][3];", "\tint matrix[7][9];", "\tchar name[16];", "\tchar name[32];", "\tu16 shorts[4];", "\tu16 shorts[100];",
		"typedef int array_td[4];", "typedef int array_td[14];",
	}},
	{name: "arrays of other dimensions", changes: []string{
		"\tint ints[8];", "\tint ints[2][8];", "\tint matrix[2][3];", "\tint matrix[6];", "\tchar name[16];", "\tchar name;", "\tu16 shorts[4];", "\tu16 shorts[4][2];", "\tstruct inner recs[3];", "\tstruct inner recs[3][1];", "\tu64 *pointers[2];", "\tu64 **pointers;",
		"typedef struct inner record_array_td[2];", "typedef struct inner record_array_td[2][2];",
	}},
	{name: "arrays without elements", changes: []string{
		"\tint ints[8];", "\tint ints[0];", "\tstruct inner recs[3];", "\tstruct inner recs[0];", "\tu64 *pointers[2];", "\tu64 *pointers[0];", "\tu8 bytes[4];", "\tu8 bytes[];", "\tstruct inner arr[4];", "\tstruct inner arr[];", "\tu16 tail[];", "\tu16 tail[0];",
	}},
	{name: "flexible arrays fixed", changes: []string{"\tstruct inner tail[];\n", "\tstruct inner tail[3];\n", "\tu16 tail[];", "\tu16 tail[4]; int after;"}},
	{name: "flexible arrays in the middle", changes: []string{"\tstruct inner tail[];\n", "\tstruct inner tail[0]; int after;\n", "\tu16 tail[];", "\tu16 tail[0]; int after[];"}},
	{name: "other pointers", changes: []string{
		"\tvoid *v;", "\tstruct inner *v;", "\tint *i;", "\tchar ***i;", "\tstruct inner *r;", "\tint (*r)(void);", "\tstruct unknown *f;", "\tunion unknown *f;", "\tunion unknown_union *uf;", "\tstruct inner *uf;",
		"\tint (*fn)(int, char *);", "\tvoid *fn;", "\tchar **deep;", "\tchar *deep;", "\tenum color *e;", "\tvolatile int *const e;",
	}},
	{name: "pointers to what was unknown", changes: []string{"struct pointers {", "struct unknown { int known; };\nunion unknown_union { int known; };\nstruct pointers {"}},
	{name: "other qualifiers", changes: []string{
		"\tconst volatile int cv;", "\tint cv;", "\tconst int *restrict rp;", "\tint *volatile rp;", "\tvolatile struct inner vin;", "\tconst inner_td2_early vin;", "struct quals {", "typedef volatile struct inner inner_td2_early;\nstruct quals {",
		"\tu32 i;\n", "\tconst volatile u32 i;\n", "\tconst struct inner *const volatile cptr;", "\tstruct inner *cptr;",
	}},
	{name: "chains of typedefs", changes: []string{
		"struct plain {", "typedef const u32 t1; typedef volatile t1 t2; typedef t2 t3; typedef const t3 t4; typedef t4 t5;\ntypedef struct inner i1; typedef const i1 i2; typedef volatile i2 i3;\nstruct plain {",
		"\tu32 i;\n", "\tt5 i;\n", "\tu64 l;\n", "\tvolatile t4 l;\n", "\tstruct inner in;\n\tstruct inner *ptr;", "\ti3 in;\n\ti3 *ptr;", "\tu32 a : 3;", "\tt5 a : 3;", "\tstruct inner arr[4];", "\ti2 arr[4];",
	}},
	{name: "typedefs resolved", changes: []string{
		"\trecord_td r;", "\tstruct { int zero, one; } r;", "\tinner_td i;", "\tstruct inner i;", "\tint_td2 n;", "\tint n;", "\tfunction_td fn;", "\tvoid *fn;", "\tarray_td arr;", "\tint arr[4];", "\tcolor_td c;", "\tenum color c;",
	}},
	{name: "typedefs of other types", changes: []string{
		"typedef int int_td;", "typedef long int_td;", "typedef volatile int_td int_td2;", "typedef int *int_td2;", "typedef struct inner inner_td;", "typedef union { int b; } inner_td;", "typedef int *pointer_td;", "typedef char *pointer_td;",
		"typedef int array_td[4];", "typedef char *array_td[4];", "typedef enum color color_td;", "typedef enum big color_td;", "typedef struct inner record_array_td[2];", "typedef struct list *record_array_td[2];",
		"\tstruct list *next, *prev;\n\tint value;\n} RECORD;", "\tstruct list *next, *prev;\n\tint value;\n} RECORD;\ntypedef struct list list;",
	}},
	{name: "typedef of a named record", changes: []string{"typedef struct {\n\tint one;", "typedef struct record_td_tag {\n\tint one;"}},
	{name: "record for a typedef", changes: []string{
		"typedef struct {\n\tint one;\n\tstruct inner two;\n\tu8 three : 5;\n} record_td;", "struct record_td {\n\tint one;\n\tstruct inner two;\n\tu8 three : 5;\n};", "\trecord_td r;", "\tstruct record_td r;",
		"typedef int *pointer_td;", "struct pointer_td { int x; };", "typedef enum color color_td;", "enum color_td { GREEN_ };", "\tcolor_td c;", "\tenum color c;",
	}},
	{name: "prototypes of other parameters", changes: []string{
		"typedef int (*function_td)(int, struct inner *);", "typedef int (*function_td)(int, struct inner *, int);", "typedef int prototype_td(int, struct inner *);", "typedef int prototype_td(int);",
		"typedef void void_prototype_td(void);", "typedef void void_prototype_td(int);",
	}},
	{name: "prototypes of other types", changes: []string{
		"typedef int (*function_td)(int, struct inner *);", "typedef int (*function_td)(int, struct list *);", "typedef int prototype_td(int, struct inner *);", "typedef void prototype_td(int, struct inner *);",
		"typedef int (*(*(*nested_functions)(int (*)(char)))(struct list *, long))(enum color);", "typedef int (*(*(*nested_functions)(int (*)(char)))(struct list *, void *))(enum color);",
	}},
	{name: "prototypes of compatible types", changes: []string{
		"typedef int (*function_td)(int, struct inner *);", "typedef long (*function_td)(u8, const struct list *);", "typedef int prototype_td(int, struct inner *);", "typedef long prototype_td(const u64, volatile struct plain *const);",
		"typedef int (*(*(*nested_functions)(int (*)(char)))(struct list *, long))(enum color);", "typedef long (*(*(*nested_functions)(long (*)(int)))(struct inner *, int))(enum big);",
	}},
	{name: "deep pointers grown", changes: []string{"typedef int ********************************pointers_32;", "typedef int **********************************pointers_32;", "typedef int *********************************pointers_33;", "typedef int ***********************************pointers_33;"}},
	{name: "flavors", changes: []string{
		"struct plain {", "struct plain___v2 {", "\tstruct plain *first;", "\tstruct plain___v2 *first;", "struct single {", "struct single___only___two {", "enum color {", "enum color___v2 {", "typedef enum color color_td;", "typedef enum color___v2 color_td___v9;",
		"\tenum color *e;", "\tenum color___v2 *e;", "\tenum color c;\n\tenum big b;", "\tenum color___v2 c;\n\tenum big b;", "\tcolor_td c;", "\tcolor_td___v9 c;", "\tenum color h : 4;", "\tenum color___v2 h : 4;",
		"(struct list *, long))(enum color);", "(struct list *, long))(enum color___v2);",
	}},
	{name: "names that only look like flavors", changes: []string{"struct plain {", "struct plain____v2 {", "struct single {", "struct single___ {", "struct flex {", "struct ___flex {", "struct anon {", "struct anon__v2 {"}},
	{name: "ambiguous flavors", more: "struct plain___a { u32 i; u64 l; };\nstruct single___a { int before, only; };\nenum color___a { GREEN___2 = 6 };\nstruct inner___b { int a; u32 b; };\ntypedef long int_td___b;\nunion uni___b { long l; };\n"},
	{name: "flavors that agree", more: "struct plain___a { u8 c; s8 sc; u16 s; };\nstruct single___a { int only; };\nenum color___a { GREEN___2 = 5 };\nstruct inner___b { int a; u64 b; };\ntypedef int int_td___b;\nunion uni___b { long l; int i; };\nstruct nested___c { int head; };\nstruct bits___z { u32 padding : 30; };\n"},
	{name: "flavors of which one fits", more: "struct plain___a { u32 other; };\nstruct single___a { void *only; };\nstruct inner___b { struct { int x; } a; };\nenum color___c { NO_COLOR };\nstruct nested___c { int in; int tail; };\n"},
	{name: "two kinds of one name", more: "union single___u { int only; };\nenum inner___e { NOT_INNER };\ntypedef int plain;\ntypedef struct nested nested___t;\nstruct int_td { int x; };\n"},
	{name: "records gone", changes: []string{
		"struct plain {", "struct simple {", "struct single {", "struct double_ {", "struct list {", "struct chain {", "union uni {", "union un {", "\tunion uni u;", "\tunion un u;", "enum lonely {", "enum alone {", "enum negative {", "enum minus {", "\tenum negative n;", "\tenum minus n;",
		"typedef int int_td;", "typedef int int_t_d;", "typedef volatile int_td int_td2;", "typedef volatile int_t_d int_td2;",
	}},
	{name: "forward declarations", changes: []string{
		"struct plain {", "struct plain;\nstruct simple {", "struct inner *r;", "struct single *r;", "struct single {", "struct single_ {", "struct nested {", "struct nested;\nstruct nested_ {", "\tint one;\n\tstruct inner two;", "\tstruct nested *one;\n\tstruct inner two;",
	}},
	{name: "a record that has grown", changes: []string{"\tint value;\n} RECORD;", "\tint value; " + pad("200") + "} RECORD;", "\tint only;\n} RECORD;", "\tint only; " + pad("70000") + "} RECORD;", "struct empty {", "struct empty { int no_more;"}},
	{name: "members without a name", changes: []string{
		"struct plain {", "struct plain { u32 : 5; u32 : 0; union { struct { int : 3; }; }; ", "struct single {", "struct single { struct { struct { int : 1; } ; struct {}; }; ", "struct anon {", "struct anon { union { }; struct { struct { int other; }; }; ",
	}},
}

// built are kernels that no compiler makes. empty starts one.
func built(empty func() *btftest.Builder) map[string]*btftest.Builder {
	all := map[string]*btftest.Builder{}
	start := func(name string) *btftest.Builder {
		b := empty()
		all[name] = b
		return b
	}

	start("nothing")

	b := start("pointers of 4 bytes")
	u32, s32, u64 := b.Int("unsigned int", 4, btftest.Unsigned), b.Int("int", 4, btftest.Signed), b.Int("unsigned long long", 8, btftest.Unsigned)
	long, ulong := b.Int("long", 4, btftest.Signed), b.Int("unsigned long", 4, btftest.Unsigned)
	inner := b.Struct("inner", 16, btftest.Field("a", s32, 0), btftest.Field("b", u64, 64))
	ptr := b.Ptr(inner)
	array := b.Array(b.Ptr(u64), u32, 2)
	b.Struct("plain", 16, btftest.Field("ul", ulong, 0), btftest.Field("sgl", long, 32), btftest.Field("l", u64, 64))
	b.Struct("nested", 12, btftest.Field("head", s32, 0), btftest.Field("ptr", ptr, 32), btftest.Field("cptr", b.Const(ptr), 64))
	b.Struct("pointers", 32, btftest.Field("v", b.Ptr(0), 0), btftest.Field("i", b.Ptr(s32), 32), btftest.Field("r", ptr, 64), btftest.Field("f", b.Ptr(b.FwdStruct("unknown")), 96),
		btftest.Field("uf", b.Ptr(0), 128), btftest.Field("fn", b.Ptr(b.FuncProto(0)), 160), btftest.Field("deep", b.Ptr(ptr), 192), btftest.Field("e", ptr, 224))
	b.Struct("arrays", 8, btftest.Field("pointers", array, 0))
	b.Struct("wrapper", 8, btftest.Field("in", b.Struct("", 8, btftest.Field("first", ptr, 0), btftest.Field("second", ptr, 32)), 0))
	b.Struct("typedefs", 8, btftest.Field("fn", b.Typedef("function_td", b.Ptr(b.FuncProto(s32, btftest.Arg("", s32), btftest.Arg("", ptr)))), 0))
	list := b.Reserve()
	b.At(list).Struct("list", 12, btftest.Field("next", b.Ptr(list), 0), btftest.Field("prev", b.Ptr(list), 32), btftest.Field("value", s32, 64))

	b = start("two structs of one name that disagree")
	u32, u64 = b.Int("unsigned int", 4, btftest.Unsigned), b.Int("unsigned long long", 8, btftest.Unsigned)
	b.Struct("plain", 8, btftest.Field("i", u32, 0), btftest.Field("c", u32, 32))
	b.Struct("plain", 16, btftest.Field("c", u32, 0), btftest.Field("i", u32, 32), btftest.Field("l", u64, 64))
	b.Struct("single", 4, btftest.Field("only", u32, 0))
	b.Struct("single", 8, btftest.Field("only", u64, 0))
	b.Enum("color", 4, btftest.Val("RED", 1), btftest.Val("GREEN", 2))
	b.Enum("color", 4, btftest.Val("RED", 1), btftest.Val("GREEN", 3), btftest.Val("BLUE", 4))
	b.Struct("bits", 4, btftest.Bitfield("a", u32, 3, 3), btftest.Bitfield("b", u32, 8, 4))
	b.Struct("bits", 4, btftest.Bitfield("a", u32, 4, 3), btftest.Bitfield("b", u32, 8, 5))

	b = start("two structs of one name that agree")
	u32, u64 = b.Int("unsigned int", 4, btftest.Unsigned), b.Int("unsigned long long", 8, btftest.Unsigned)
	for range 2 {
		b.Struct("plain", 16, btftest.Field("i", u32, 32), btftest.Field("l", u64, 64))
		b.Enum("color", 4, btftest.Val("RED", 1), btftest.Val("GREEN", 2))
		b.Struct("bits", 4, btftest.Bitfield("a", u32, 3, 3))
		b.Typedef("int_td", u32)
	}
	b.Struct("plain", 16, btftest.Field("si", u32, 32), btftest.Field("sl", u64, 64)) // another one's members

	b = start("bitfields of before Linux 5.1")
	odd := b.IntBits("unsigned int", 4, btftest.Unsigned, 3, 5)
	short := b.IntBits("unsigned int", 4, btftest.Unsigned, 0, 7)
	signed := b.IntBits("int", 4, btftest.Signed, 0, 5)
	whole := b.Int("unsigned int", 4, btftest.Unsigned)
	b.Struct("bits", 12, btftest.Field("a", odd, 0), btftest.Field("b", short, 3), btftest.Field("c", signed, 10), btftest.Field("g", short, 30), btftest.Field("whole", whole, 64))
	b.Struct("plain", 16, btftest.Field("i", odd, 0), btftest.Field("l", short, 64), btftest.Field("si", signed, 96))
	b.Typedef("int_td", odd)
	b.Typedef("function_td", b.Ptr(b.FuncProto(odd, btftest.Arg("", odd), btftest.Arg("", b.Ptr(b.Struct("inner", 4, btftest.Field("a", odd, 0)))))))

	b = start("ints of odd sizes and encodings")
	plain := []btftest.Member{}
	for i, m := range []struct {
		name           string
		size, encoding uint32
	}{
		{"c", 4, btftest.Char}, {"sc", 2, btftest.Signed | btftest.Char}, {"s", 1, btftest.Bool}, {"ss", 4, btftest.Bool | btftest.Signed}, {"i", 16, btftest.Unsigned}, {"si", 8, btftest.Char | btftest.Signed},
		{"l", 1, btftest.Char}, {"sl", 16, btftest.Signed}, {"t", 8, btftest.Bool}, {"ch", 2, btftest.Char | btftest.Bool}, {"ul", 2, btftest.Char},
	} {
		plain = append(plain, btftest.Field(m.name, b.Int(fmt.Sprint("int", i), m.size, m.encoding), uint32(128*i)))
	}
	b.Struct("plain", 16*uint32(len(plain)), plain...)

	b = start("chains of qualifiers and tags")
	u32 = b.Int("unsigned int", 4, btftest.Unsigned)
	chain := u32
	for i := range 12 {
		chain = b.TypeTag("tag", b.Typedef(fmt.Sprint("t", i), b.Const(b.Volatile(chain))))
	}
	inner = b.Struct("inner", 16, btftest.Field("a", chain, 0), btftest.Field("b", chain, 64))
	tagged := b.TypeTag("rcu", b.Const(inner))
	b.Struct("plain", 8, btftest.Field("i", chain, 0), btftest.Field("l", chain, 32))
	b.Struct("nested", 88, btftest.Field("in", tagged, 0), btftest.Field("ptr", b.Ptr(tagged), 128), btftest.Field("arr", b.Const(b.Array(tagged, u32, 4)), 192))
	b.Typedef("int_td", b.Const(b.Int("int", 4, btftest.Signed)))
	b.Typedef("inner_td", b.TypeTag("user", inner))
	b.Typedef("pointer_td", b.Const(b.Ptr(b.TypeTag("user", chain))))

	b = start("forward declarations alone")
	b.FwdStruct("plain")
	b.FwdUnion("nested")
	b.FwdStruct("uni")
	b.FwdStruct("bits")
	b.Struct("bits", 4, btftest.Bitfield("a", b.Int("unsigned int", 4, btftest.Unsigned), 3, 3))
	b.FwdStruct("list")
	b.Typedef("inner_td", b.FwdStruct("inner"))
	b.Struct("pointers", 16, btftest.Field("v", b.Ptr(0), 0), btftest.Field("f", b.Ptr(b.FwdUnion("unknown")), 64))

	b = start("enums of all sizes")
	b.Enum("color", 1, btftest.Val("GREEN", 200), btftest.Val("RED", 255), btftest.Val("BLUE", 0))
	b.Enum("big", 8, btftest.Val("BIG_SMALL", 1), btftest.Val("BIG_TOP", uint32(0xffffffff)))
	b.SignedEnum("negative", 2, btftest.Val("MINUS", -3), btftest.Val("PLUS", 3))
	b.SignedEnum64("flavored", 8, btftest.Val("FLAVORED_TWO", int64(-1)<<40), btftest.Val("FLAVORED_ONE", 1))
	b.Struct("enums", 32, btftest.Field("c", b.NextID()-4, 0), btftest.Field("b", b.NextID()-3, 64), btftest.Field("n", b.NextID()-2, 128), btftest.Field("f", b.NextID()-1, 192))
	b.Enum("single", 4, btftest.Val("SINGLE", 3), btftest.Val("SINGLE", 4))

	b = start("members of one name")
	u32 = b.Int("unsigned int", 4, btftest.Unsigned)
	hidden := b.Struct("", 8, btftest.Field("x", u32, 0), btftest.Field("i", u32, 32))
	b.Struct("plain", 16, btftest.Field("", hidden, 0), btftest.Field("i", u32, 64), btftest.Field("i", u32, 96))
	b.Struct("single", 16, btftest.Field("", u32, 0), btftest.Field("only", b.Ptr(0), 64), btftest.Field("only", u32, 32))
	b.Union("uni", 4, btftest.Bitfield("bit", u32, 7, 3), btftest.Bitfield("bit", u32, 0, 3))

	b = start("named records without a member's name")
	u32 = b.Int("unsigned int", 4, btftest.Unsigned)
	named := b.Struct("inner", 8, btftest.Field("a", u32, 0), btftest.Field("i", u32, 32))
	b.Struct("plain", 16, btftest.Field("c", u32, 0), btftest.Field("", b.Typedef("t", b.Const(named)), 32))
	return all
}
