// A program that looks at as much of a kernel as tools for tracing do: accesses,
// questions, flavours, enum values and a comparison. It is compiled with
// btfgen's header.
#include "vmlinux.h"

#define SEC(name) __attribute__((section(name), used))
#define exists(field) __builtin_preserve_field_info(field, 2)
#define type_exists(type) __builtin_preserve_type_info(*(type *)0, 0)
#define enum_value(type, value) __builtin_preserve_enum_value(*(typeof(type) *)value, 1)

struct task_struct___old {
	long state;
} __attribute__((preserve_access_index));

char LICENSE[] SEC("license") = "GPL";

SEC("kprobe/wake_up_new_task") long process(struct task_struct *task)
{
	long sum = task->pid + task->tgid + task->flags + task->prio + task->start_time + task->exit_code;

	if (exists(((struct task_struct___old *)task)->state))
		sum += ((struct task_struct___old *)task)->state;
	sum += task->real_parent->tgid + task->group_leader->comm[0] + task->cred->uid.val + task->cred->gid.val;
	sum += task->mm->arg_start + task->mm->arg_end + task->mm->exe_file->f_inode->i_ino;
	sum += task->nsproxy->uts_ns->name.nodename[0] + task->nsproxy->pid_ns_for_children->level + task->nsproxy->net_ns->net_cookie;
	sum += task->fs->pwd.dentry->d_name.len + (long)task->fs->root.mnt->mnt_root + task->files->fdt->max_fds;
	return sum + task->signal->nr_threads + task->se.sum_exec_runtime + task->thread_pid->numbers[0].nr;
}

SEC("kprobe/tcp_connect") long network(struct sock *sk, struct sk_buff *skb)
{
	struct tcp_sock *tcp = (struct tcp_sock *)sk;
	long sum = sk->__sk_common.skc_family + sk->__sk_common.skc_dport + sk->__sk_common.skc_daddr + sk->__sk_common.skc_rcv_saddr;

	sum += sk->__sk_common.skc_v6_daddr.in6_u.u6_addr32[3] + sk->__sk_common.skc_state + sk->sk_err + sk->sk_protocol;
	sum += tcp->srtt_us + tcp->snd_cwnd + tcp->total_retrans + tcp->inet_conn.icsk_inet.inet_sport;
	sum += skb->len + skb->data_len + skb->protocol + skb->transport_header + (long)skb->head + skb->dev->ifindex;
	return sum + sk->sk_socket->file->f_flags + enum_value(enum sock_type, SOCK_STREAM);
}

SEC("kprobe/submit_bio") long disk(struct bio *bio, struct request *request)
{
	long sum = bio->bi_iter.bi_sector + bio->bi_iter.bi_size + bio->bi_opf + bio->bi_bdev->bd_dev;

	sum += request->__data_len + request->__sector + request->cmd_flags + request->q->nr_requests;
	return sum + type_exists(struct bio_vec) + type_exists(struct no_such_struct) + enum_value(enum pid_type, PIDTYPE_TGID);
}
