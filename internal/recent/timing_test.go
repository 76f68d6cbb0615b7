package recent_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"buildmon/internal/recent"
)

// BenchmarkGet is the time to find what is known of a sensor, if all report in the same
// order again and again, and if they report in any order.
func BenchmarkGet(b *testing.B) {
	for _, sensors := range []int{1000, 20_000, 200_000} {
		for _, order := range []string{"same", "any"} {
			b.Run(fmt.Sprintf("sensors=%d/order=%s", sensors, order), func(b *testing.B) {
				m := recent.New[int](time.Hour, sensors+1)
				names := make([]string, sensors)
				for i := range names {
					names[i] = fmt.Sprint("bldg-a-f1-office-", i)
					count(m, names[i], 0)
				}
				rounds := [4][]string{names, names, names, names}
				if rng := rand.New(rand.NewPCG(1, 2)); order == "any" {
					for i := range rounds {
						rounds[i] = make([]string, sensors)
						for j, from := range rng.Perm(sensors) {
							rounds[i][j] = names[from]
						}
					}
				}
				i := 0
				for b.Loop() {
					count(m, rounds[i/sensors%len(rounds)][i%sensors], 1)
					i++
				}
			})
		}
	}
}
