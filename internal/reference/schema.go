package reference

import (
	"encoding/json"
	"strconv"

	"github.com/avx-platform/avxrt/internal/manifest"
)

// schema is a JSON Schema of draft 04, as far as the manifest needs it.
type schema struct {
	Schema      string             `json:"$schema,omitempty"`
	Title       string             `json:"title,omitempty"`
	Description string             `json:"description,omitempty"`
	Type        string             `json:"type"`
	Enum        []string           `json:"enum,omitempty"`
	Pattern     string             `json:"pattern,omitempty"`
	Minimum     json.Number        `json:"minimum,omitempty"`
	Maximum     json.Number        `json:"maximum,omitempty"`
	Default     any                `json:"default,omitempty"`
	Items       *schema            `json:"items,omitempty"`
	MinItems    int                `json:"minItems,omitempty"`
	Properties  map[string]*schema `json:"properties,omitempty"`
	Required    []string           `json:"required,omitempty"`
	Additional  any                `json:"additionalProperties,omitempty"` // false, or a schema
}

// patterns are how the values that are strings are written.
var patterns = map[manifest.Type]string{
	manifest.Count:    `^[0-9]+[KMG]?$`,
	manifest.Size:     `^[0-9]+([KMGT]iB)?$`,
	manifest.Duration: `^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$`,
}

// Schema returns the JSON Schema (draft 04, which editors of TOML know) of the manifest.
func Schema() ([]byte, error) {
	root := &schema{Schema: "http://json-schema.org/draft-04/schema#", Title: "avxrt.toml", Type: "object", Additional: false, Properties: map[string]*schema{}}
	tables := map[string]*schema{"": root}
	for _, k := range manifest.Keys() {
		parent := tables[k.Parent()]
		s := schemaOf(k)
		parent.Properties[k.Name()] = s
		if k.Required {
			parent.Required = append(parent.Required, k.Name())
		}
		switch k.Type {
		case manifest.Table:
			tables[k.Path] = s
		case manifest.Tables:
			tables[k.Path] = s.Items
		}
	}
	text, err := json.MarshalIndent(root, "", "  ")
	return append(text, '\n'), err
}

func schemaOf(k manifest.Key) *schema {
	s := &schema{Description: k.Doc, Type: "string", Enum: k.Words, Pattern: patterns[k.Type]}
	if k.Default != "" && quoted(k.Type) {
		s.Default = k.Default
	}
	switch k.Type {
	case manifest.Table:
		s.Type, s.Additional, s.Properties = "object", false, map[string]*schema{}
	case manifest.Tables:
		s.Type, s.Items = "array", &schema{Type: "object", Additional: false, Properties: map[string]*schema{}}
	case manifest.Texts:
		s.Type, s.Items = "array", &schema{Type: "string"}
		if k.Required {
			s.MinItems = 1
		}
	case manifest.TextMap:
		s.Type, s.Additional = "object", &schema{Type: "string"}
	case manifest.Switch:
		s.Type = "boolean"
		s.Default, _ = strconv.ParseBool(k.Default) // the table's test has read it
	case manifest.Integer, manifest.Number:
		s.Type, s.Minimum, s.Maximum = string(k.Type), json.Number(k.Low), json.Number(k.High)
		if k.Default != "" {
			s.Default = json.Number(k.Default)
		}
	}
	return s
}
