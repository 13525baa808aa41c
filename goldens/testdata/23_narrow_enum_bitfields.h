#ifndef __VMLINUX_H__
#define __VMLINUX_H__

#if !defined(BPF_NO_PRESERVE_ACCESS_INDEX) && !defined(__cplusplus) && __has_attribute(preserve_access_index)
#define __co_re __attribute__((preserve_access_index))
#else
#define __co_re
#endif
#if !__has_attribute(btf_type_tag)
#define btf_type_tag(x)
#endif

#ifndef __ksym
#define __ksym __attribute__((section(".ksyms")))
#endif
#ifndef __weak
#define __weak __attribute__((weak))
#endif
#ifndef __bpf_fastcall
#if __has_attribute(bpf_fastcall)
#define __bpf_fastcall __attribute__((bpf_fastcall))
#else
#define __bpf_fastcall
#endif
#endif

#if defined(__GNUC__) && !defined(__clang__) && !defined(__cplusplus)
#define __btfgen_narrow_enum(integer, ...) __typeof__(*(integer *)sizeof(__VA_ARGS__))
#else
#define __btfgen_narrow_enum(integer, ...) __VA_ARGS__
#endif

enum byte {
	BYTE = 200,
} __attribute__((packed));

enum signed_bits {
	LEAST = -8,
	MOST = 7,
};

enum three_bits {
	SEVEN = 7,
};

enum wide {
	WIDE = 1099511627776,
};

typedef volatile enum three_bits named_t;
struct narrow {
	__btfgen_narrow_enum(unsigned int, enum three_bits) a: 2;
	enum three_bits a3: 3;
	__btfgen_narrow_enum(const volatile unsigned int, const named_t) b: 1;
	__btfgen_narrow_enum(int, enum signed_bits) c: 3;
	enum signed_bits c4: 4;
	__btfgen_narrow_enum(unsigned char, enum byte) d: 7;
	char: 1;
	__btfgen_narrow_enum(unsigned int, enum {
		EIGHT = 8,
		NINE = 9,
	}) e: 3;
	__btfgen_narrow_enum(long long unsigned int, enum wide) w: 40;
} __co_re;

#undef __btfgen_narrow_enum
#undef __co_re

#endif /* __VMLINUX_H__ */
