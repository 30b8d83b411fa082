package harness

import "testing"

func TestMedian(t *testing.T) {
	for _, test := range []struct {
		values []float64
		want   float64
	}{
		{[]float64{3}, 3}, {[]float64{9, 1, 5}, 5}, {[]float64{4, 1, 3, 2}, 2.5}, {[]float64{5, 5, 1, 9, 100}, 5},
	} {
		if got := median(test.values); got != test.want {
			t.Errorf("median of %v: got %v, want %v", test.values, got, test.want)
		}
	}
	values := []float64{2, 1}
	if median(values); values[0] != 2 {
		t.Error("median sorted its argument; the pairs must stay together")
	}
}
