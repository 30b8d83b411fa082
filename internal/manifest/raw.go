package manifest

// raw is the text's shape as the TOML library fills it; pointers tell "absent" from "empty".
type raw struct {
	Node struct {
		ID   *string `toml:"id"`
		Data *string `toml:"data"`
	} `toml:"node"`
	HTTP struct {
		Listen *string `toml:"listen"`
	} `toml:"http"`
	Log struct {
		Durability *string `toml:"durability"`
		MinFree    *string `toml:"min_free"`
		Retention  struct {
			MaxAge   *string             `toml:"max_age"`
			MaxBytes *string             `toml:"max_bytes"`
			Topics   []rawTopicRetention `toml:"topics"`
		} `toml:"retention"`
	} `toml:"log"`
	Plugins struct {
		Dir        *string `toml:"dir"`
		Watch      *bool   `toml:"watch"`
		IdleMemory *string `toml:"idle_memory"`
	} `toml:"plugins"`
	Subscribers []rawSubscriber `toml:"subscriber"`
}

type rawTopicRetention struct {
	Pattern string `toml:"pattern"`
	MaxAge  string `toml:"max_age"`
}

type rawSubscriber struct {
	Name         string   `toml:"name"`
	Module       string   `toml:"module"`
	SHA256       string   `toml:"sha256"`
	Topics       []string `toml:"topics"`
	Emits        []string `toml:"emits"`
	Start        *string  `toml:"start"`
	Partitions   *int     `toml:"partitions"`
	StateVersion *int     `toml:"state_version"`
	Limits       struct {
		Fuel       *string `toml:"fuel"`
		Time       *string `toml:"time"`
		Memory     *string `toml:"memory"`
		Depth      *int    `toml:"depth"`
		Emits      *int    `toml:"emits"`
		EmitBytes  *string `toml:"emit_bytes"`
		StateBytes *string `toml:"state_bytes"`
		LogLines   *int    `toml:"log_lines"`
		Timers     *int    `toml:"timers"`
	} `toml:"limits"`
	Retry struct {
		Attempts *int    `toml:"attempts"`
		Backoff  *string `toml:"backoff"`
	} `toml:"retry"`
	OnPoison *string  `toml:"on_poison"`
	Verify   *float64 `toml:"verify"`
	Swap     struct {
		Mode    *string `toml:"mode"`
		Events  *int    `toml:"events"`
		Require *string `toml:"require"`
	} `toml:"swap"`
	Config map[string]string `toml:"config"`
}

// laterKeys are keys that the design names and this version does not have.
var laterKeys = []string{
	"provider", "command", "query", "auth", "gateway",
	"subscriber.commands", "subscriber.queries", "subscriber.isolate",
}
