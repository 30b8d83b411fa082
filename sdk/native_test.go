package sdk_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestNativeC runs the conformance guest in C on the fake host, compiled as C and as C++, and
// with every warning.
func TestNativeC(t *testing.T) {
	for _, tt := range []struct {
		compiler string
		args     []string
	}{
		{"cc", []string{"-std=c99"}},
		{"cc", []string{"-x", "c++", "-std=c++98"}},
		{"clang", []string{"-std=c11"}},
		{"clang", []string{"-x", "c++", "-std=c++17"}},
	} {
		t.Run(tt.compiler+tt.args[len(tt.args)-1], func(t *testing.T) {
			if _, err := exec.LookPath(tt.compiler); err != nil {
				t.Skip(err)
			}
			program := filepath.Join(t.TempDir(), "native")
			args := append(tt.args, "-Wall", "-Wextra", "-Werror", "-Ic", "-o", program, "testdata/native_test.c")
			if out, err := exec.Command(tt.compiler, args...).CombinedOutput(); err != nil {
				if strings.Contains(string(out), "cc1plus") {
					t.Skip("this compiler has no C++")
				}
				t.Fatalf("%v: %s", err, out)
			}
			if out, err := exec.Command(program).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
		})
	}
}

// TestNativeRust runs the tests in the conformance guest in Rust, with every rustc that is
// here: the SDK promises Debian's and the newest.
func TestNativeRust(t *testing.T) {
	for _, compiler := range []string{"/usr/bin/rustc", "rustc"} {
		t.Run(filepath.Base(filepath.Dir(compiler)), func(t *testing.T) {
			version, err := exec.Command(compiler, "--version").Output()
			if err != nil {
				t.Skip(err)
			}
			t.Logf("%s", version)
			program := filepath.Join(t.TempDir(), "native")
			if out, err := exec.Command(compiler, "--edition", "2021", "--test", "-D", "warnings", "-o", program, "../abi/abitest/guests/conform.rs").CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			if out, err := exec.Command(program).CombinedOutput(); err != nil || !strings.Contains(string(out), "4 passed") {
				t.Fatalf("%v: %s", err, out)
			}
		})
	}
}
