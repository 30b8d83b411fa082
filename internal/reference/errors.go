package reference

import (
	"fmt"
	"strings"

	"github.com/avx-platform/avxrt/internal/catalogue"
)

// Errors returns docs/errors.md.
func Errors() string {
	var b strings.Builder
	b.WriteString(`# Error codes

<!-- Made by avxrt generate error-reference from the code. Do not edit: run make docs. -->

Each is explained by ` + "`avxrt errors CODE`" + `, too. Codes never change their meaning. AVX1… come from the command line and from a node that does
not start, AVX2… from the HTTP interface, AVX3… tell what befell a guest.
`)
	for _, e := range catalogue.All() {
		word := ""
		if e.Word != "" {
			word = " (" + e.Word + ")"
		}
		fmt.Fprintf(&b, "\n## %s%s: %s\n\n%s\n\n%s\n", e.Code, word, e.Title, e.Means, e.Do)
	}
	return b.String()
}
