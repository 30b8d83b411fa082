package manifest

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/avx-platform/avxrt/internal/nearest"
)

// typeOf names the type of a value of the file.
func typeOf(value any) string {
	switch value.(type) {
	case string:
		return "a string"
	case int64:
		return "an integer"
	case float64:
		return "a number"
	case bool:
		return "a boolean"
	case time.Time:
		return "a date"
	case map[string]any:
		return "a table"
	default:
		return "a list"
	}
}

// shown writes a value as the file may have it, shortened; lists and tables are left out.
func shown(value any) string {
	switch v := value.(type) {
	case string:
		return strconv.Quote(cut(v))
	case time.Time:
		return v.Format(time.RFC3339)
	case int64, float64, bool:
		return fmt.Sprint(v)
	case map[string]any:
		return "{ … }"
	default:
		return "[ … ]"
	}
}

// remedy says what a key wants in place of a value of another type, and how that is written.
func remedy(known string, value any, want reflect.Type) (wanted, hint string) {
	name := known[strings.LastIndexByte(known, '.')+1:]
	text := strings.Trim(shown(value), `"`)
	_, quoted := value.(string)
	_, table := value.(map[string]any)
	switch want.Kind() {
	case reflect.Struct, reflect.Map:
		return "a table", fmt.Sprintf("write %s = { … }", name)
	case reflect.Slice:
		switch {
		case want.Elem().Kind() == reflect.Struct && table:
			return "a list of tables", fmt.Sprintf("write [[%s]] with two brackets", known)
		case want.Elem().Kind() == reflect.Struct:
			return "a list of tables", fmt.Sprintf("write [[%s]] and its keys below", known)
		case quoted:
			return "a list of strings", fmt.Sprintf("write a list: %s = [%s]", name, shown(value))
		}
		return "a list of strings", fmt.Sprintf(`write each item in quotes: %s = ["…", "…"]`, name)
	case reflect.Bool:
		if text == "true" || text == "false" {
			return "true or false", fmt.Sprintf("write it without quotes: %s = %s", name, text)
		}
		return "true or false", "use true or false, without quotes"
	case reflect.Int, reflect.Float64:
		wanted, example := "an integer", "3"
		_, err := strconv.Atoi(text)
		if want.Kind() == reflect.Float64 {
			wanted, example = "a number", "0.001"
			_, err = strconv.ParseFloat(text, 64)
		}
		if quoted && err == nil {
			return wanted, fmt.Sprintf("write it without quotes: %s = %s", name, text)
		}
		return wanted, fmt.Sprintf("write for example %s = %s", name, example)
	}
	return "a string", textRemedy(known, name, value)
}

// textRemedy says how a string is written.
func textRemedy(known, name string, value any) string {
	text, kind := shown(value), Text
	for _, k := range keyTable {
		if k.Path != known && k.Path != "subscriber."+known {
			continue
		}
		if kind = k.Type; k.Words != nil {
			return "use " + nearest.List(k.Words)
		}
	}
	switch {
	case kind == Duration:
		return fmt.Sprintf(`write it in quotes and with a unit, for example %s = "10s"`, name)
	case strings.HasSuffix(text, " … }"), strings.HasSuffix(text, " … ]"):
		return fmt.Sprintf(`write %s = "…"`, name)
	}
	return fmt.Sprintf("write it in quotes: %s = %q", name, text)
}
