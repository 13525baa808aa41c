// Package testtools has tests of install-test-tools.sh, on machines that are made
// up: distributions, what apt has there, and what is installed.
package testtools
