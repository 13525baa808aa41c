// Programs with one CO-RE relocation each, or few: every kind of relocation and
// every class of instruction that can have one. The name of a program tells what
// it reads and what it asks.

#define RECORD __attribute__((preserve_access_index))
#include "records.h"

#define PROGRAM(name) __attribute__((section("socket"), used)) long name(void *ctx)

// A load of a member, its address, and stores to it: of a register, and of a
// constant, which is an instruction of its own from -mcpu=v4 on.
#define READ(name, T, member) PROGRAM(name##_read) { T *p = ctx; return (long)p->member; }
#define ADDRESS(name, T, member) PROGRAM(name##_address) { T *p = ctx; return (long)__builtin_preserve_access_index(&p->member); }
#define WRITE(name, T, member) \
	PROGRAM(name##_write) { T *p = ctx; p->member = (__typeof__(p->member))(long)ctx; return 0; } \
	PROGRAM(name##_zero) { T *p = ctx; p->member = (__typeof__(p->member))(long)7; return 0; }

#define INFO(name, T, member, kind) PROGRAM(name) { T *p = ctx; return __builtin_preserve_field_info(p->member, kind); }
#define PLACE(name, T, member) \
	INFO(name##_offset, T, member, 0) INFO(name##_size, T, member, 1) INFO(name##_exists, T, member, 2)
#define BITS(name, T, member) \
	PLACE(name, T, member) INFO(name##_signed, T, member, 3) \
	INFO(name##_left, T, member, 4) INFO(name##_right, T, member, 5)

#define SCALAR(name, T, member) READ(name, T, member) ADDRESS(name, T, member) WRITE(name, T, member) BITS(name, T, member)
#define ELEMENT(name, T, member) READ(name, T, member) ADDRESS(name, T, member) WRITE(name, T, member) PLACE(name, T, member)
#define PART(name, T, member) ADDRESS(name, T, member) PLACE(name, T, member)
#define POINTER(name, T, member) PART(name, T, member) READ(name, T, member) WRITE(name, T, member)

#if __clang_major__ >= 15
#define MATCHES(name, T) PROGRAM(name##_matches) { return __builtin_preserve_type_info(*(T *)0, 2); }
#else
#define MATCHES(name, T)
#endif
#define TYPE(name, T) \
	PROGRAM(name##_local) { return __builtin_btf_type_id(*(T *)0, 0); } \
	PROGRAM(name##_target) { return __builtin_btf_type_id(*(T *)0, 1); } \
	PROGRAM(name##_there) { return __builtin_preserve_type_info(*(T *)0, 0); } \
	PROGRAM(name##_sizeof) { return __builtin_preserve_type_info(*(T *)0, 1); } \
	MATCHES(name, T)

#define ENUMERATOR(name, E, value) \
	PROGRAM(name##_there) { return __builtin_preserve_enum_value(*(E *)value, 0); } \
	PROGRAM(name##_value) { return __builtin_preserve_enum_value(*(E *)value, 1); }

SCALAR(u8, struct plain, c)
SCALAR(s8, struct plain, sc)
SCALAR(u16, struct plain, s)
SCALAR(s16, struct plain, ss)
SCALAR(u32, struct plain, i)
SCALAR(s32, struct plain, si)
SCALAR(u64, struct plain, l)
SCALAR(s64, struct plain, sl)
SCALAR(boolean, struct plain, t)
SCALAR(character, struct plain, ch)
SCALAR(ulong, struct plain, ul)
SCALAR(slong, struct plain, sgl)

SCALAR(nested_a, struct nested, in.a)
SCALAR(nested_deep, struct nested, in.deep)
SCALAR(nested_low, struct nested, in.low)
ELEMENT(nested_byte, struct nested, in.bytes[2])
PART(nested_in, struct nested, in)
POINTER(nested_ptr, struct nested, ptr)
PART(nested_cptr, struct nested, cptr)
READ(nested_behind, struct nested, ptr->b)
READ(nested_behind_const, struct nested, cptr->b)
SCALAR(nested_element, struct nested, arr[3].b)

SCALAR(anon_x, struct anon, x)
SCALAR(anon_y2, struct anon, y2)
SCALAR(anon_far, struct anon, far)
SCALAR(anon_near, struct anon, near)
SCALAR(anon_z, struct anon, z)

PART(ints, struct arrays, ints)
SCALAR(ints_0, struct arrays, ints[0])
ELEMENT(ints_5, struct arrays, ints[5])
SCALAR(recs_2, struct arrays, recs[2].b)
ELEMENT(matrix_1_2, struct arrays, matrix[1][2])
PART(matrix_row, struct arrays, matrix[1])
PART(name, struct arrays, name)
ELEMENT(name_15, struct arrays, name[15])
ELEMENT(shorts_3, struct arrays, shorts[3])
READ(array_pointer, struct arrays, pointers[1])
// Loads of what is declared as an array.
PROGRAM(decayed_ints) { struct arrays *p = ctx; return *p->ints; }
PROGRAM(decayed_row) { struct arrays *p = ctx; return **p->matrix; }
PROGRAM(decayed_shorts) { struct arrays *p = ctx; return *p->shorts; }
PROGRAM(decayed_pointers) { struct arrays *p = ctx; return (long)*p->pointers; }
PROGRAM(decayed_tail) { struct flex_ints *p = ctx; return *p->tail; }
PROGRAM(second_of_array) { struct single *p = ctx; return (long)__builtin_preserve_access_index(&p[2].only); }
PROGRAM(second_of_bits) { struct bits *p = ctx; return __builtin_preserve_field_info(p[1].d, 0); }

PART(flex, struct flex, tail)
SCALAR(flex_0, struct flex, tail[0].b)
SCALAR(flex_7, struct flex, tail[7].deep)
PART(flex_ints, struct flex_ints, tail)
ELEMENT(flex_ints_3, struct flex_ints, tail[3])

BITS(bits_a, struct bits, a)
BITS(bits_b, struct bits, b)
BITS(bits_c, struct bits, c)
BITS(bits_d, struct bits, d)
BITS(bits_e, struct bits, e)
BITS(bits_f, struct bits, f)
BITS(bits_g, struct bits, g)
BITS(bits_h, struct bits, h)
BITS(bits_k, struct bits, k)
SCALAR(bits_whole, struct bits, whole)
BITS(wide_lead, struct bits_wide, lead)
BITS(wide_wide, struct bits_wide, wide)
BITS(wide_cross, struct bits_wide, cross)
BITS(wide_huge, struct bits_wide, huge)
BITS(wide_last, struct bits_wide, last)

// What BPF_CORE_READ_BITFIELD of libbpf's bpf_core_read.h comes to.
#define READ_BITS(name, T, member) PROGRAM(name) { \
	T *p = ctx; \
	u64 value = 0; \
	void *at = (void *)p + __builtin_preserve_field_info(p->member, 0); \
	switch (__builtin_preserve_field_info(p->member, 1)) { \
	case 1: value = *(u8 *)at; break; \
	case 2: value = *(u16 *)at; break; \
	case 4: value = *(u32 *)at; break; \
	case 8: value = *(u64 *)at; break; \
	} \
	value <<= __builtin_preserve_field_info(p->member, 4); \
	if (__builtin_preserve_field_info(p->member, 3)) \
		return (s64)value >> __builtin_preserve_field_info(p->member, 5); \
	return value >> __builtin_preserve_field_info(p->member, 5); \
}
READ_BITS(read_bits_b, struct bits, b)
READ_BITS(read_bits_c, struct bits, c)
READ_BITS(read_bits_whole, struct bits, whole)

POINTER(pointers_v, struct pointers, v)
POINTER(pointers_i, struct pointers, i)
POINTER(pointers_r, struct pointers, r)
POINTER(pointers_f, struct pointers, f)
POINTER(pointers_uf, struct pointers, uf)
POINTER(pointers_fn, struct pointers, fn)
POINTER(pointers_deep, struct pointers, deep)
POINTER(pointers_e, struct pointers, e)

SCALAR(enums_c, struct enums, c)
SCALAR(enums_b, struct enums, b)
SCALAR(enums_n, struct enums, n)
SCALAR(enums_f, struct enums, f)
BITS(floats_f, struct floats, f)
PART(floats_d, struct floats, d)
READ(quals_cv, struct quals, cv)
PART(quals_cv, struct quals, cv)
PART(quals_rp, struct quals, rp)
PART(quals_vin, struct quals, vin)
READ(quals_vin_b, struct quals, vin.b)

// Typedefs of records without a name can be where an access starts.
typedef struct {
	int one;
	struct inner two;
	u8 three : 5;
} RECORD record_td___view;
SCALAR(typedef_one, record_td___view, one)
SCALAR(typedef_two, record_td___view, two.a)
BITS(typedef_three, record_td___view, three)
SCALAR(typedefs_one, struct typedefs, r.one)
SCALAR(typedefs_i, struct typedefs, i.low)
READ(typedefs_ci, struct typedefs, ci.low)
PART(typedefs_ci, struct typedefs, ci.low)
SCALAR(typedefs_n, struct typedefs, n)
POINTER(typedefs_fn, struct typedefs, fn)
ELEMENT(typedefs_arr, struct typedefs, arr[3])
SCALAR(typedefs_recs, struct typedefs, recs[1].b)
SCALAR(typedefs_c, struct typedefs, c)

SCALAR(union_i, union uni, i)
SCALAR(union_l, union uni, l)
SCALAR(union_in, union uni, in.b)
ELEMENT(union_raw, union uni, raw[5])
BITS(union_bit, union uni, bit)

READ(chain, struct wrapper, in.first->i)
READ(chain_long, struct wrapper, in.second->ptr->bytes[1])
BITS(wrapped_bit, struct wrapper, bit.c)
SCALAR(wrapped_union, struct wrapper, u.in.a)
SCALAR(single, struct single, only)
READ(list, struct list, next->next->prev->value)

// Flavors: the same type with other ideas about its members.
struct plain___flavor {
	u32 i;
	u64 gone;
} RECORD;
struct plain___types {
	struct inner *i; // was a number
	u32 l;           // was wider
	u64 c;           // was narrower
	int s[2];        // was no array
	enum color ss;   // was an int
	u32 sl : 4;      // was no bitfield
} RECORD;
struct plain___widths {
	u32 c, s, l;
	s32 sc, ss, sl;
	u8 i;
	s64 si;
} RECORD;
struct nested___records {
	int in;                        // was a record
	union { u64 b; } arr[4];       // was another record
	struct arrays *ptr;
	union { struct inner head; };  // was an int
} RECORD;
struct arrays___other {
	int ints[20];
	u64 shorts[4];
	char *name;
	int matrix[6];
	struct { u64 b; } recs[1];
	int n[1];
} RECORD;
struct anon___named {
	struct { u64 far; } in;
	union { struct { union { s16 y2; }; }; };
	int tag;
	u32 near : 8;
} RECORD;
struct bits___plain {
	u32 a;
	s64 c;
	u8 d;
	u32 whole : 7;
	u32 : 0;
	u32 e : 2;
} RECORD;
struct flex___fixed {
	struct inner tail[2];
	int n;
} RECORD;
struct flex_ints___fixed {
	u16 tail[0];
	u64 n;
} RECORD;
enum color___old { RED___old = 9, GREEN___x = 7, PURPLE___x = 3 };
enum big___small { BIG_HUGE___s = 1, BIG_SMALL___s };
struct enums___other {
	enum color___old c;
	enum negative b;
	int n;
	enum { ANONYMOUS } f;
} RECORD;
union plain___union { u32 i; } RECORD;
struct uni___struct { long l; u8 raw[2]; } RECORD;
struct pointers___mixed {
	u64 v;
	struct inner r;
	struct unknown___other *f;
	struct { int x; } *e;
} RECORD;

SCALAR(flavor_i, struct plain___flavor, i)
SCALAR(flavor_gone, struct plain___flavor, gone)
POINTER(types_i, struct plain___types, i)
SCALAR(types_l, struct plain___types, l)
SCALAR(types_c, struct plain___types, c)
ELEMENT(types_s, struct plain___types, s[1])
PART(types_s_all, struct plain___types, s)
SCALAR(types_ss, struct plain___types, ss)
BITS(types_sl, struct plain___types, sl)
SCALAR(widths_c, struct plain___widths, c)
SCALAR(widths_s, struct plain___widths, s)
SCALAR(widths_l, struct plain___widths, l)
SCALAR(widths_sc, struct plain___widths, sc)
BITS(widths_ss, struct plain___widths, ss)
BITS(widths_sl, struct plain___widths, sl)
SCALAR(widths_i, struct plain___widths, i)
BITS(widths_si, struct plain___widths, si)
SCALAR(records_in, struct nested___records, in)
SCALAR(records_arr, struct nested___records, arr[2].b)
READ(records_ptr, struct nested___records, ptr->n)
PART(records_head, struct nested___records, head)
SCALAR(records_head_b, struct nested___records, head.b)
ELEMENT(other_ints, struct arrays___other, ints[9])
ELEMENT(other_ints_7, struct arrays___other, ints[7])
PART(other_ints_all, struct arrays___other, ints)
ELEMENT(other_shorts, struct arrays___other, shorts[3])
POINTER(other_name, struct arrays___other, name)
ELEMENT(other_matrix, struct arrays___other, matrix[1])
SCALAR(other_recs, struct arrays___other, recs[0].b)
PART(other_n, struct arrays___other, n)
SCALAR(named_far, struct anon___named, in.far)
SCALAR(named_y2, struct anon___named, y2)
BITS(named_near, struct anon___named, near)
SCALAR(plain_bits_a, struct bits___plain, a)
BITS(plain_bits_c, struct bits___plain, c)
BITS(plain_bits_d, struct bits___plain, d)
BITS(plain_bits_whole, struct bits___plain, whole)
BITS(plain_bits_e, struct bits___plain, e)
SCALAR(fixed_tail, struct flex___fixed, tail[1].b)
PART(fixed_tail_all, struct flex___fixed, tail)
PART(fixed_ints, struct flex_ints___fixed, tail)
SCALAR(other_enum_c, struct enums___other, c)
SCALAR(other_enum_b, struct enums___other, b)
SCALAR(other_enum_n, struct enums___other, n)
SCALAR(other_enum_f, struct enums___other, f)
SCALAR(union_for_struct, union plain___union, i)
SCALAR(struct_for_union, struct uni___struct, l)
ELEMENT(struct_for_union_raw, struct uni___struct, raw[1])
SCALAR(mixed_v, struct pointers___mixed, v)
SCALAR(mixed_r, struct pointers___mixed, r.a)
POINTER(mixed_f, struct pointers___mixed, f)
POINTER(mixed_e, struct pointers___mixed, e)

TYPE(type_inner, struct inner)
TYPE(type_plain, struct plain)
TYPE(type_nested, struct nested)
TYPE(type_anon, struct anon)
TYPE(type_arrays, struct arrays)
TYPE(type_bits, struct bits)
TYPE(type_pointers, struct pointers)
TYPE(type_enums, struct enums)
TYPE(type_wrapper, struct wrapper)
TYPE(type_list, struct list)
TYPE(type_empty, struct empty)
TYPE(type_uni, union uni)
TYPE(type_quals, struct quals)
TYPE(type_color, enum color)
TYPE(type_big, enum big)
TYPE(type_negative, enum negative)
TYPE(type_color_td, color_td)
TYPE(type_record_td, record_td)
TYPE(type_inner_td, inner_td)
TYPE(type_inner_td2, inner_td2)
TYPE(type_int_td, int_td)
TYPE(type_int_td2, int_td2)
TYPE(type_function_td, function_td)
TYPE(type_prototype_td, prototype_td)
TYPE(type_pointer_td, pointer_td)
TYPE(type_array_td, array_td)
TYPE(type_record_array_td, record_array_td)
TYPE(type_pointers_31, pointers_31)
PROGRAM(type_pointers_32_there) { return __builtin_preserve_type_info(*(pointers_32 *)0, 0); }
PROGRAM(type_pointers_33_sizeof) { return __builtin_preserve_type_info(*(pointers_33 *)0, 1); }
TYPE(type_nested_functions, nested_functions)
TYPE(type_flavor, struct plain___flavor)
TYPE(type_types, struct plain___types)
TYPE(type_union_plain, union plain___union)
TYPE(type_old_color, enum color___old)
TYPE(type_mixed, struct pointers___mixed)
TYPE(type_anon_named, struct anon___named)
TYPE(type_fixed, struct flex___fixed)

// Types that no target has by that name.
struct nowhere { int x; struct inner in; } RECORD;
enum nowhere_enum { NOWHERE = 4 };
typedef int nowhere_td;
SCALAR(nowhere_x, struct nowhere, x)
TYPE(type_nowhere, struct nowhere)
TYPE(type_nowhere_enum, enum nowhere_enum)
TYPE(type_nowhere_td, nowhere_td)
ENUMERATOR(nowhere, enum nowhere_enum, NOWHERE)

// The same name as another kind of type in the targets.
enum single___enum { SINGLE = 1 };
typedef struct single list___td;
ENUMERATOR(wrong_kind, enum single___enum, SINGLE)
TYPE(type_wrong_kind, enum single___enum)
TYPE(type_wrong_kind_td, list___td)

// Prototypes with one thing changed.
typedef int (*function_td___more)(int, struct inner *, int);
typedef int (*function_td___same)(long, struct inner *);
typedef int (*function_td___arg)(struct inner *, struct inner *);
typedef void (*function_td___ret)(int, struct inner *);
TYPE(type_function_more, function_td___more)
TYPE(type_function_same, function_td___same)
TYPE(type_function_arg, function_td___arg)
TYPE(type_function_ret, function_td___ret)

ENUMERATOR(red, enum color, RED)
ENUMERATOR(green, enum color, GREEN)
ENUMERATOR(blue, enum color, BLUE)
ENUMERATOR(old_red, enum color___old, RED___old)
ENUMERATOR(old_green, enum color___old, GREEN___x)
ENUMERATOR(old_purple, enum color___old, PURPLE___x)
ENUMERATOR(big_small, enum big, BIG_SMALL)
ENUMERATOR(big_huge, enum big, BIG_HUGE)
ENUMERATOR(big_top, enum big, BIG_TOP)
ENUMERATOR(small_huge, enum big___small, BIG_HUGE___s)
ENUMERATOR(minus, enum negative, MINUS)
ENUMERATOR(plus, enum negative, PLUS)
ENUMERATOR(flavored, enum flavored, FLAVORED_TWO)
ENUMERATOR(color_td, color_td, GREEN)

// A subprogram with relocations, called from two programs.
static __attribute__((noinline)) long helper(struct plain *p)
{
	return p->si + __builtin_preserve_field_info(p->l, 2);
}
PROGRAM(calls_once) { return helper(ctx) + ((struct plain *)ctx)->i; }
PROGRAM(calls_twice) { return helper(ctx) + helper(ctx + ((struct plain *)ctx)->l); }

// Stores of constants of all widths, reads that libbpf makes narrower or wider.
PROGRAM(stores) { struct plain *p = ctx; p->c = 1; p->s = 2; p->i = 3; p->l = 4; return 0; }
PROGRAM(stores_widths) { struct plain___widths *p = ctx; p->c = 1; p->s = 2; p->l = 3; p->i = 4; return 0; }

// An access that stands behind a question, as programs that run on many kernels have it.
PROGRAM(guarded)
{
	struct plain___flavor *p = ctx;
	if (__builtin_preserve_field_info(p->gone, 2))
		return p->gone;
	return p->i;
}

char license_text[] __attribute__((section("license"), used)) = "GPL";
