package abitest_test

import (
	"fmt"
	"strings"
)

// jsonCases are texts that must be read as they mean, and texts that must be refused.
func jsonCases() []given {
	var all []given
	result := func(name, n, cents, price, yes, none, sum, raw string) string {
		if raw != "" {
			raw = `,"raw":` + raw
		}
		return `{"name":` + name + `,"n":` + n + `,"cents":` + cents + `,"price":` + price + `,"yes":` + yes + `,"none":` + none +
			`,"list":[` + sum + `,[],{},null]` + raw + `}`
	}
	good := func(name, text, want string) {
		all = append(all, given{"json/" + name, on("t.json", "", text), handled(emitted("out.json", want))})
	}
	good("empty", `{}`, result(`""`, "0", "0", "0.00", "false", "false", "0", ""))
	good("full", `{"name":"Ada","n":-12,"cents":12.5,"yes":true,"none":null,"list":[1,2,3],"more":{"a":[{}, [1.5e-3, "x"]]},"raw":{"b":[ ]}}`,
		result(`"Ada"`, "-12", "1250", "12.50", "true", "true", "6", `{"b":[ ]}`))
	good("space", " \t\r\n{ \"n\" : 7 ,\n\"list\" : [ 1 , -1 , 5 ] , \"yes\":false } \n", result(`""`, "7", "0", "0.00", "false", "false", "5", ""))
	good("escapes", `{"name":"\"\\\/\b\f\n\r\té\u00e9\ud83d\ude00"}`,
		result(`"\"\\/\u0008\u000c\n\r\téé😀"`, "0", "0", "0.00", "false", "false", "0", ""))
	good("half a pair", `{"name":"a\ud800b\udc00\ud800\u0041"}`, result(`"a�b��A"`, "0", "0", "0.00", "false", "false", "0", ""))
	good("escaped key", `{"\u006e":7,"n\u0061me":"x"}`, result(`"x"`, "7", "0", "0.00", "false", "false", "0", ""))
	good("long name", `{"name":"`+strings.Repeat("ä", 3000)+`"}`, result(`"`+strings.Repeat("ä", 3000)+`"`, "0", "0", "0.00", "false", "false", "0", ""))
	good("keys that are nearly", `{"nam":1,"namee":2,"":3,"N":4,"n ":5,"n":6}`, result(`""`, "6", "0", "0.00", "false", "false", "0", ""))
	good("limits", `{"n":-9223372036854775808,"cents":92233720368547758.07}`,
		result(`""`, "-9223372036854775808", "9223372036854775807", "92233720368547758.07", "false", "false", "0", ""))
	good("least", `{"cents":-92233720368547758.08}`, result(`""`, "0", "-9223372036854775808", "-92233720368547758.08", "false", "false", "0", ""))
	good("minus zero", `{"n":-0,"cents":-0.5}`, result(`""`, "0", "-50", "-0.50", "false", "false", "0", ""))
	good("zeros", `{"cents":1.23000}`, result(`""`, "0", "123", "1.23", "false", "false", "0", ""))
	good("no null", `{"none":[null],"raw":null}`, result(`""`, "0", "0", "0.00", "false", "false", "0", "null"))
	good("numbers", `{"a":0,"b":-0.0,"c":1E5,"d":1e+5,"e":12.5e-7,"n":1}`, result(`""`, "1", "0", "0.00", "false", "false", "0", ""))
	good("deep", `{"raw":`+strings.Repeat("[", 62)+strings.Repeat("]", 62)+`}`,
		result(`""`, "0", "0", "0.00", "false", "false", "0", strings.Repeat("[", 62)+strings.Repeat("]", 62)))
	var controls strings.Builder
	for c := range 32 {
		fmt.Fprintf(&controls, `\u%04x`, c)
		raw := `{"name":"12345678` + string(rune(c)) + `"}`
		all = append(all, given{fmt.Sprint("json/malformed control ", c), on("t.json", "", raw), "reject (malformed)"})
	}
	short := strings.NewReplacer(`\u0009`, `\t`, `\u000a`, `\n`, `\u000d`, `\r`) // as the SDKs write them
	good("controls", `{"name":"`+controls.String()+`"}`, result(`"`+short.Replace(controls.String())+`"`, "0", "0", "0.00", "false", "false", "0", ""))
	for _, text := range []string{
		``, ` `, `{`, `}`, `[]`, `"x"`, `5`, `null`, `{}x`, `{}{}`, `{"n":1`, `{"n":1,}`, `{,"n":1}`, `{"n" 1}`, `{"n":}`, `{"n":1 "x":2}`, `{n:1}`, `{'n':1}`,
		`{"n":01}`, `{"n":+1}`, `{"n":1.5}`, `{"n":1e2}`, `{"n":-}`, `{"n":"1"}`, `{"n":9223372036854775808}`, `{"n":-9223372036854775809}`,
		`{"n":99999999999999999999999999}`, `{"x":.5}`, `{"x":1.}`, `{"x":1e}`, `{"x":1e+}`, `{"x":--1}`, `{"x":00}`, `{"x":Infinity}`,
		`{"cents":1.234}`, `{"cents":1e2}`, `{"cents":92233720368547758.08}`, `{"cents":"1"}`, `{"cents":9999999999999999999999.5}`,
		`{"name":5}`, `{"name":null}`, `{"name":"a` + "\x01" + `"}`, `{"name":"a` + "\n" + `"}`, `{"name":"a}`, `{"name":"\`, `{"name":"\"}`, `{"name":"\q"}`,
		`{"name":"\u12"}`, `{"name":"\u12g4"}`, `{"name":"\u`, `{"x":"\u00`, `{"yes":1}`, `{"yes":tru}`, `{"yes":truee}`, `{"yes":falsy}`, `{"none":nul}`, `{"none":nil}`,
		`{"list":{}}`, `{"list":[1,]}`, `{"list":[,1]}`, `{"list":[1 2]}`, `{"list":[1}`, `{"list":[1.0]}`, `{"list":[`, `{"raw":}`, `{"raw":[}]}`, `{"raw":{]}`,
		`{"raw":{"a"}}`, `{"raw":{1:2}}`, `{"raw":[1,]}`, `{"x":[{"a":1]}`, `{"x":` + strings.Repeat("[", 63) + strings.Repeat("]", 63) + `}`,
		strings.Repeat(`{"x":`, 1000), `{"x":` + strings.Repeat("[", 100_000), "\ufeff{}", "{}\x00", "\x00",
	} {
		name := text
		if len(name) > 40 {
			name = name[:40]
		}
		all = append(all, given{"json/malformed " + quote([]byte(name)), on("t.json", "", text), "reject (malformed)"})
	}
	return all
}
