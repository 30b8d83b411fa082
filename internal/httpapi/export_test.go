package httpapi

import (
	"maps"
	"slices"
)

// Routes are the method and path of each route but /metrics.
func Routes() []string { return slices.Sorted(maps.Keys((&api{}).routes())) }
