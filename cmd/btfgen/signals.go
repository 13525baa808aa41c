package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// Signals end btfgen as they end any program, but for the time in which there is
// something to be removed first. A signal that whoever started btfgen had it
// ignore stays ignored: nohup does so with SIGHUP, and a shell without job
// control with SIGINT for what runs in the background.

// An interruptedError says that a signal came that ends the program.
type interruptedError struct{ number syscall.Signal }

func (e interruptedError) Error() string { return fmt.Sprintf("stopped: %v", e.number) }

// notifyOfEnd has the signals that would end the program sent to a channel
// instead, until stop is called.
func notifyOfEnd() (signals chan os.Signal, stop func()) {
	signals = make(chan os.Signal, 1)
	for _, s := range []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(s) {
			signal.Notify(signals, s)
		}
	}
	return signals, func() { signal.Stop(signals) }
}

// stopped returns an error if a signal has come.
func stopped(signals <-chan os.Signal) error {
	select {
	case s := <-signals:
		return interrupted(s)
	default:
		return nil
	}
}

func interrupted(s os.Signal) interruptedError {
	number, _ := s.(syscall.Signal)
	return interruptedError{number}
}

// untilSignal returns a context that ends with the first signal that would end
// the program, for as long as there are temporary files to be removed first. The
// cause of its end is an interruptedError then.
func untilSignal() (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals, unnotify := notifyOfEnd()
	go func() {
		select {
		case s := <-signals:
			cancel(interrupted(s))
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		unnotify()
		cancel(nil)
	}
}
