package manifest

import (
	"fmt"
	"path/filepath"
)

// Subscriber returns the subscriber of that name, nil if there is none.
func (m *Manifest) Subscriber(name string) *Subscriber {
	for i := range m.Subscribers {
		if m.Subscribers[i].Name == name {
			return &m.Subscribers[i]
		}
	}
	return nil
}

// File is the path of a subscriber's module.
func (m *Manifest) File(s *Subscriber) string {
	return filepath.Join(m.Plugins.Dir, filepath.FromSlash(s.Module))
}

// OfFile returns the subscribers whose module is the file at path.
func (m *Manifest) OfFile(path string) (out []*Subscriber, err error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	for i := range m.Subscribers {
		if s := &m.Subscribers[i]; m.File(s) == absolute {
			out = append(out, s)
		}
	}
	return out, nil
}

// CheckName says why a name is none for a subscriber, nil if it is one.
func CheckName(name string) error {
	if subscriberName.MatchString(name) {
		return nil
	}
	return fmt.Errorf("%q is no name for a subscriber; use 1 to 63 of a-z, 0-9 and -, not - first", name)
}
