package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/avx-platform/avxrt/internal/build"
)

// languageNames are what people call the languages otherwise.
var languageNames = map[string]build.Language{
	"golang": build.Go, "rs": build.Rust, "c++": build.C, "cpp": build.C, "cc": build.C, "cxx": build.C, "as": build.AssemblyScript, "ts": build.AssemblyScript, "typescript": build.AssemblyScript,
}

// languageOf reads the value of --lang; "" is the language of the sources.
func languageOf(text string) (build.Language, error) {
	lang := build.Language(strings.ToLower(text))
	if named, ok := languageNames[string(lang)]; ok {
		lang = named
	}
	if lang != "" && !slices.Contains(build.Languages(), lang) {
		return "", &usageError{fmt.Errorf("language %q is unknown; use go, rust, c (also for C++) or assemblyscript", text)}
	}
	return lang, nil
}
