package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/avx-platform/avxrt/internal/client"
)

// TestTailComesBack: a stream that a node ended in the ordinary way, because it was started
// again, goes on where it was; also one that had not seen an event yet.
func TestTailComesBack(t *testing.T) {
	var asked []string
	answers := []string{"id: 7\n\n", "id: 7\n\nid: 8\ndata: {\"n\":8}\n\n", "id: 8\n\nid: 9\ndata: {\"n\":9}\n\n"}
	node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Header.Get("Last-Event-ID"))
		fmt.Fprint(w, answers[min(len(asked), len(answers))-1])
	}))
	defer node.Close()
	c, err := client.New(node.URL)
	if err != nil {
		t.Fatal(err)
	}
	enough := errors.New("enough")
	var seen []string
	err = c.Tail(context.Background(), client.TailOptions{Follow: true}, func(event []byte) error {
		if seen = append(seen, string(event)); len(seen) == 2 {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) || !slices.Equal(seen, []string{`{"n":8}`, `{"n":9}`}) || !slices.Equal(asked, []string{"", "7", "8"}) {
		t.Errorf("saw %q, asked behind %q, %v", seen, asked, err)
	}
}
