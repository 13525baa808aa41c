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

struct aligned_16 {
	unsigned int a;
	int: 32;
	long long: 64;
	unsigned int b;
	int: 32;
	long long: 64;
} __co_re;

struct i386_u64 {
	unsigned int a;
	long long unsigned int v;
} __attribute__((packed, aligned(4))) __co_re;

struct m68k_int {
	short unsigned int a;
	unsigned int v;
} __attribute__((packed, aligned(2))) __co_re;

struct s390_int128 {
	long long unsigned int a;
	unsigned __int128 v;
} __attribute__((packed, aligned(8))) __co_re;

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif
#undef __co_re

#endif /* __VMLINUX_H__ */
