package main

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// The progress line comes after half a second, follows what is going on, and is
// wiped at the end. The clock is synctest's.
func TestProgressLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		c := &console{out: &out, terminal: true}
		c.begin("reading")
		time.Sleep(progressDelay - time.Millisecond)
		synctest.Wait()
		if out.Len() > 0 {
			t.Errorf("too early: %q", &out)
		}
		time.Sleep(time.Millisecond)
		synctest.Wait()
		if got := out.String(); !strings.HasSuffix(got, "reading ...") {
			t.Errorf("after half a second: %q", got)
		}
		c.begin("printing")
		if got := out.String(); !strings.HasSuffix(got, "\r\x1b[Kprinting ...") {
			t.Errorf("the next step: %q", got)
		}
		c.end()
		if got := out.String(); !strings.HasSuffix(got, "\r\x1b[K") {
			t.Errorf("at the end: %q", got)
		}
	})
}

func TestNoProgressLine(t *testing.T) {
	for name, c := range map[string]*console{
		"quick":       {terminal: true},
		"no terminal": {},
		"quiet":       {terminal: true, quiet: true},
	} {
		synctest.Test(t, func(t *testing.T) {
			var out bytes.Buffer
			c.out = &out
			c.begin("reading")
			if name != "quick" {
				time.Sleep(time.Minute)
			}
			c.end()
			time.Sleep(time.Minute)
			synctest.Wait()
			if out.Len() > 0 {
				t.Errorf("%s: got %q", name, &out)
			}
		})
	}
}
