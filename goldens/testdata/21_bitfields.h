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

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpacked-not-aligned"
#endif

struct across {
	short unsigned int a: 10;
	short unsigned int b: 10;
} __attribute__((packed, aligned(2))) __co_re;

struct flags {
	unsigned int a: 3;
	char: 2;
	unsigned int b: 27;
	char: 8;
	unsigned char c: 2;
	short unsigned int d: 9;
} __co_re;

struct legacy {
	char: 4;
	unsigned int x: 12;
} __co_re;

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif
#undef __co_re

#endif /* __VMLINUX_H__ */
