package manifest_test

import (
	"testing"

	"github.com/avx-platform/avxrt/internal/manifest"
)

// TestCheckEnviron: a slip of the pen is refused; what is set for others is left alone.
func TestCheckEnviron(t *testing.T) {
	for setting, want := range map[string]string{
		"AVXRT_LOG_DURABILTY=accepted":   `manifest: AVXRT_LOG_DURABILTY: the environment has this variable, and the manifest no such key; did you mean "AVXRT_LOG_DURABILITY"?`,
		"AVXRT_HTTP_PORT_NUMBER=80":      `manifest: AVXRT_HTTP_PORT_NUMBER: the environment has this variable, and the manifest no such key; use "AVXRT_HTTP_LISTEN"`,
		"AVXRT_NODE_=x":                  `manifest: AVXRT_NODE_: the environment has this variable, and the manifest no such key; did you mean "AVXRT_NODE_ID"?`,
		"AVXRT_SUBSCRIBER_NAME=a":        `manifest: AVXRT_SUBSCRIBER_NAME: the environment has this variable, and the manifest no such key; write it into the file and unset the variable: none sets what stands in [[…]]`,
		"AVXRT_LOG_RETENTION_MAX_AGE=1h": "", "AVXRT_PLUGINS_WATCH=true": "", "AVXRT_NODE_DATA=": "",
		"AVXRT_SERVER=x": "", "AVXRT_FAULTS=1": "", "AVXRT_SEED=1": "", "AVXRT_RELIABILITY=x": "", "AVXRT_WRITE_DOCS=1": "", "AVXRT_TEST_CHILD_DIR=x": "",
		"AVXRT_LOGGER=x": "", "AVXRT_HTTP=x": "", "AVXRT_SITE_NODE=x": "", "LOG_DURABILTY=x": "", "avxrt_log_x=1": "", "": "", "=": "",
		"AVXRT_HTTP_SERVICE_HOST=10.0.0.1": "", "AVXRT_HTTP_SERVICE_PORT=1": "", "AVXRT_HTTP_SERVICE_PORT_WEB=1": "", "AVXRT_HTTP_PORT=tcp://10.0.0.1:7080": "",
		"AVXRT_NODE_PORT_7080_TCP=x": "", "AVXRT_NODE_PORT_7080_TCP_ADDR=x": "",
	} {
		got := ""
		if err := manifest.CheckEnviron([]string{"HOME=/", setting}); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s\ngot  %s\nwant %s", setting, got, want)
		}
	}
}
