package reference

import (
	"fmt"
	"strings"

	"github.com/avx-platform/avxrt/internal/manifest"
)

const manifestHead = `# The manifest, avxrt.toml

<!-- Made by avxrt generate manifest-reference from the code. Do not edit: run make docs. -->

A node runs what its manifest says. The file is [TOML](https://toml.io) 1.0, of at most 256 KiB. It is read strictly: an unknown key or
an impossible value is an error with line, column and remedy, all of them at once (` + "`avxrt lint`" + ` checks, exit code 4). A node that runs
takes a changed manifest by itself, whole or not at all.

A key outside of ` + "`[[…]]`" + ` is set by, in this order: a variable of the environment (` + "`AVXRT_HTTP_LISTEN`" + ` for ` + "`http.listen`" + `), the file, the
default. A variable that names a table and no key of it (` + "`AVXRT_LOG_DURABILTY`" + `) is an error as well.
Relative paths of the file are relative to its folder, those of the environment to the working directory.

The first line ` + "`#:schema avxrt.schema.json`" + ` lets editors check and complete it: ` + "`avxrt generate schema > avxrt.schema.json`" + `.

| written as | means |
|---|---|
| duration | a string: ` + "`\"250ms\"`, `\"10s\"`, `\"5m\"`, `\"720h\"`" + ` |
| size | a string: bytes, which may end with KiB, MiB, GiB or TiB: ` + "`\"16MiB\"`" + ` |
| count | a string: a number, which may end with K, M or G: ` + "`\"50M\"`" + ` |
`

// Manifest returns docs/manifest.md.
func Manifest() string {
	var b strings.Builder
	b.WriteString(manifestHead)
	keys := manifest.Keys()
	for _, table := range keys {
		if table.Type != manifest.Table && table.Type != manifest.Tables {
			continue
		}
		title := "[" + table.Path + "]"
		if table.Type == manifest.Tables {
			title = "[" + title + "]"
		}
		fmt.Fprintf(&b, "\n## `%s`\n\n%s\n\n| key | type | default | |\n|---|---|---|---|\n", title, table.Doc)
		for _, k := range keys {
			if k.Parent() == table.Path && k.Type != manifest.Table && k.Type != manifest.Tables {
				fmt.Fprintf(&b, "| `%s` | %s | %s | %s%s |\n", k.Name(), typeName(k), byDefault(k), k.Doc, environment(k))
			}
		}
	}
	b.WriteString("\n## Not in this version\n\nThe design names these keys; this version refuses them with that reason, so that nobody relies on them: `" +
		strings.Join(manifest.Later(), "`, `") + "`.\n")
	return b.String()
}

func typeName(k manifest.Key) string {
	name := map[manifest.Type]string{
		manifest.Text: "string", manifest.Texts: "list of strings", manifest.TextMap: "table of strings", manifest.Switch: "true or false",
	}[k.Type]
	if name == "" {
		name = string(k.Type)
	}
	switch {
	case len(k.Words) > 0:
		name = "`\"" + strings.Join(k.Words, "\"`, `\"") + "\"`"
	case k.Low != "" && k.High != "" && k.Low == k.High:
		name += ", " + k.Low
	case k.Low != "" && k.High != "":
		name += ", " + k.Low + " to " + k.High
	case k.Low != "":
		name += ", " + k.Low + " or more"
	}
	return name
}

func byDefault(k manifest.Key) string {
	switch {
	case k.Required:
		return "required"
	case k.Default == "":
		return ""
	case quoted(k.Type):
		return "`\"" + k.Default + "\"`"
	}
	return "`" + k.Default + "`"
}

// quoted says whether the value is written as a string.
func quoted(t manifest.Type) bool {
	return t == manifest.Text || t == manifest.Count || t == manifest.Size || t == manifest.Duration
}

func environment(k manifest.Key) string {
	if k.Env == "" {
		return ""
	}
	return " `" + k.Env + "`"
}
