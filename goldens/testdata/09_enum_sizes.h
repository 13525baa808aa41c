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

#if defined(__clang__) || __STDC_VERSION__ >= 202311L
#define __btfgen_enum_type(type) : type
#define __btfgen_enum_mode(mode)
#else
#define __btfgen_enum_type(type)
#define __btfgen_enum_mode(m) __attribute__((mode(m)))
#endif

enum eight __btfgen_enum_type(long long unsigned int) {
	EIGHT = 1,
} __btfgen_enum_mode(DI);

enum low {
	LOW = (-9223372036854775807LL - 1),
	HIGH = 4611686018427387904,
};

enum one {
	ONE = 255,
} __attribute__((packed));

enum two __btfgen_enum_type(short int) {
	TWO = -1,
} __btfgen_enum_mode(HI);

enum wide {
	WIDE = 9223372036854775808ULL,
};

struct holder {
	enum one a;
	enum two b;
	enum eight c;
	enum wide d;
	enum low e;
} __co_re;

#undef __btfgen_enum_type
#undef __btfgen_enum_mode
#undef __co_re

#endif /* __VMLINUX_H__ */
