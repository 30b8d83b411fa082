package manifest

import (
	"errors"
	"regexp"
	"strings"

	"github.com/avx-platform/avxrt/internal/nearest"
)

// ofService are the variables that Kubernetes and Docker set for a service called avxrt-http
// and the like: they are nobody's slip of the pen.
var ofService = regexp.MustCompile(`_SERVICE_HOST$|_SERVICE_PORT(_[A-Z0-9_]+)?$|_PORT$|_PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$`)

// CheckEnviron refuses variables that look like settings and are none: AVXRT_LOG_DURABILTY.
// environ is as of os.Environ. Variables are judged that begin with AVXRT_ and a table of the
// manifest; the program has others. The error joins one [*Error] per variable.
func CheckEnviron(environ []string) error {
	var variables, tables []string
	for _, k := range Keys() {
		if k.Env != "" {
			variables = append(variables, k.Env)
		}
		if !strings.Contains(k.Path, ".") {
			tables = append(tables, envKey(k.Path)+"_")
		}
	}
	var errs []error
	for _, setting := range environ {
		name, _, _ := strings.Cut(setting, "=")
		table := ""
		for _, t := range tables {
			if strings.HasPrefix(name, t) {
				table = t
			}
		}
		if table == "" || ofService.MatchString(name) {
			continue
		}
		var there []string
		for _, v := range variables {
			if v == name {
				table = ""
			}
			if strings.HasPrefix(v, table) {
				there = append(there, v)
			}
		}
		if table == "" {
			continue
		}
		hint := nearest.Hint(name, there...)
		if len(there) == 0 {
			hint = "write it into the file and unset the variable: none sets what stands in [[…]]"
		}
		errs = append(errs, &Error{Key: cut(name), Reason: "the environment has this variable, and the manifest no such key", Hint: hint})
	}
	return errors.Join(errs...)
}
