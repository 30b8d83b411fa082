package manifest

import (
	"reflect"
	"slices"
)

// Changes is what differs between two manifests.
type Changes struct {
	Added, Removed, Changed []string // subscribers by name, sorted
	Restart                 []string // keys whose new value needs a new process
}

// Diff compares two checked manifests.
func Diff(old, new *Manifest) Changes {
	var c Changes
	before := map[string]Subscriber{}
	for _, s := range old.Subscribers {
		before[s.Name] = s
	}
	for _, s := range new.Subscribers {
		was, ok := before[s.Name]
		switch {
		case !ok:
			c.Added = append(c.Added, s.Name)
		case !reflect.DeepEqual(was, s):
			c.Changed = append(c.Changed, s.Name)
		}
		delete(before, s.Name)
	}
	for name := range before {
		c.Removed = append(c.Removed, name)
	}
	for _, names := range [][]string{c.Added, c.Removed, c.Changed} {
		slices.Sort(names)
	}
	for key, differs := range map[string]bool{
		"node.id": old.Node.ID != new.Node.ID, "node.data": old.Node.Data != new.Node.Data, "http.listen": old.HTTP.Listen != new.HTTP.Listen,
	} {
		if differs {
			c.Restart = append(c.Restart, key)
		}
	}
	slices.Sort(c.Restart)
	return c
}
