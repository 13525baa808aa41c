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

enum __LINE_____2 {
	__FILE_____2 = 1,
	memcpy = 2,
	uint8_t___2 = 3,
	linux = 4,
	NULL___2 = 5,
};

#if defined(__clang__) || __STDC_VERSION__ >= 202311L
enum empty : unsigned int;
#else
enum empty { empty___none } __attribute__((mode(SI)));
#endif

enum full {
	empty___none___2 = 1,
	__btfgen_pad_64___2 = 2,
	__bool_true_false_are_defined___2 = 3,
};

struct __BPF_____2 {
	int linux;
	int memcpy;
} __co_re;

typedef unsigned int __int128_t___2;
typedef unsigned __int128 __uint128_t;
typedef long long unsigned int callback___2;
typedef int memset;
struct typeof___2 {
	struct __BPF_____2 *p;
} __co_re;

struct user {
	callback___2 c;
	__int128_t___2 i;
	__uint128_t u;
} __co_re;

#ifndef BPF_NO_KFUNC_PROTOTYPES
extern void callback(callback___2, callback___2, int memcpy) __weak __ksym;

#endif /* BPF_NO_KFUNC_PROTOTYPES */

#undef __co_re

#endif /* __VMLINUX_H__ */
