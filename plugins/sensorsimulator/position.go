package sensorsimulator

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
)

const (
	// positionOverlap is how far before the newest delivered reading a simulation goes
	// on: readings of other batches may not have been delivered.
	positionOverlap = time.Hour

	// positionEvery is how often the position is saved at most. What is simulated twice
	// is the same reading.
	positionEvery = 10 * time.Second
)

// position remembers in a cache how far the readings have been delivered. It is safe
// for concurrent use.
type position struct {
	res        *service.Resources
	cache, key string // no cache: nothing is remembered
	overlap    time.Duration
	now        func() time.Time

	mu     sync.Mutex
	newest time.Time // event time
	saved  time.Time // when, by the clock
}

// load returns where to go on, zero if nothing is known.
func (p *position) load(ctx context.Context) (at time.Time, err error) {
	if p.cache == "" {
		return at, nil
	}
	var text []byte
	accessErr := p.res.AccessCache(ctx, p.cache, func(c service.Cache) { text, err = c.Get(ctx, p.key) })
	if err == nil {
		err = accessErr
	}
	if errors.Is(err, service.ErrKeyNotFound) {
		return at, nil
	}
	if err == nil {
		err = at.UnmarshalText(text)
	}
	if err != nil {
		return at, fmt.Errorf("reading %q of cache %q, how far the simulation has come: %w", p.key, p.cache, err)
	}
	return at.Add(-p.overlap), nil
}

// delivered notes that readings up to an event time have arrived.
func (p *position) delivered(ctx context.Context, newest time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if newest.After(p.newest) {
		p.newest = newest
	}
	if p.now().Sub(p.saved) < positionEvery {
		return nil
	}
	return p.save(ctx)
}

// close saves what was not saved yet.
func (p *position) close(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.save(ctx)
}

// save needs the lock.
func (p *position) save(ctx context.Context) (err error) {
	if p.cache == "" || p.newest.IsZero() {
		return nil
	}
	p.saved = p.now()
	text, err := p.newest.MarshalText()
	if err != nil {
		return err
	}
	accessErr := p.res.AccessCache(ctx, p.cache, func(c service.Cache) { err = c.Set(ctx, p.key, text, nil) })
	if err == nil {
		err = accessErr
	}
	if err != nil {
		return fmt.Errorf("saving %q in cache %q, how far the simulation has come: %w", p.key, p.cache, err)
	}
	return nil
}
