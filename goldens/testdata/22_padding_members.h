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

struct bits {
	unsigned int a: 3;
	char: 5;
	char: 8;
	char: 7;
	unsigned int b: 4;
	char: 5;
	int: 32;
} __co_re;

union choice {
	int a;
} __attribute__((aligned(8))) __co_re;

struct first {
	long long: 64;
	int a;
	int: 32;
} __co_re;

struct holder {
	int c;
	union {
		int x;
	} __attribute__((aligned(8))) inner;
} __attribute__((packed, aligned(4))) __co_re;

struct last {
	int a;
	int: 32;
	long long: 64;
} __co_re;

union three_bytes {
	struct {
		short: 16;
		char: 8;
	};
} __co_re;

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif
#undef __co_re

#endif /* __VMLINUX_H__ */
