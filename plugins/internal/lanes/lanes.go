// Package lanes keeps the state of a processor per lane, and saves and restores
// it through a cache resource.
package lanes

import (
	"context"
	"encoding"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"buildmon/plugins/internal/carry"
)

// State is what a processor has learned from one lane. UnmarshalBinary replaces
// the whole state and refuses data of a version it does not know.
type State interface {
	encoding.BinaryAppender
	encoding.BinaryUnmarshaler
}

const (
	fieldState    = "state"
	fieldCache    = "cache"
	fieldKey      = "key"
	fieldInterval = "interval"
)

// Field is the configuration of where state is saved. The key defaults to the
// name of the component.
func Field(component string) *service.ConfigField {
	return service.NewObjectField(fieldState,
		service.NewStringField(fieldCache).Default("").
			Description("The label of a cache resource that keeps what was learned across restarts. With several processes in one consumer group it must be one that all of them reach, such as `postgres`. Empty keeps nothing: after a restart the processor learns anew."),
		service.NewStringField(fieldKey).Default(component).
			Description("Where in the cache the state lies. Two processors of one kind need two keys."),
		service.NewDurationField(fieldInterval).Default("1m").
			Description("How often state is saved while readings come in. A crash forgets at most what was learned in this time.").
			LintRule(`root = if this.parse_duration() <= 0 { [ "interval must be positive, got %s".format(this) ] }`),
	).Description("What the processor has learned, and where it is kept.")
}

// saving is held by who saves a state because it is time to. Meanwhile the state is there
// three times, and those of a million sensors have a gigabyte; the others wait for their
// next batch.
var saving sync.Mutex

// Keeper holds one state for each lane. It is safe for concurrent use; calls for
// one lane follow one another.
type Keeper[S State] struct {
	res      *service.Resources
	cache    string
	key      string
	interval time.Duration
	fresh    func(lane string) S
	now      func() time.Time

	mu    sync.Mutex
	lanes map[string]*entry[S]
}

type entry[S State] struct {
	epoch string

	mu    sync.Mutex
	state S
	ready bool
	dirty bool
	saved time.Time
	size  int // of what was saved last
}

// New returns a keeper as configured by [Field]. fresh makes the state of a lane
// that is seen for the first time.
func New[S State](conf *service.ParsedConfig, res *service.Resources, fresh func(lane string) S) (*Keeper[S], error) {
	k := &Keeper[S]{res: res, fresh: fresh, now: time.Now, lanes: map[string]*entry[S]{}}
	var err error
	if k.cache, err = conf.FieldString(fieldState, fieldCache); err != nil {
		return nil, err
	}
	if k.key, err = conf.FieldString(fieldState, fieldKey); err != nil {
		return nil, err
	}
	if k.interval, err = conf.FieldDuration(fieldState, fieldInterval); err != nil {
		return nil, err
	}
	if k.interval <= 0 {
		return nil, fmt.Errorf("state interval must be positive, got %s", k.interval)
	}
	if k.cache != "" && !res.HasCache(k.cache) {
		return nil, fmt.Errorf("state cache %q is not a cache resource of this configuration", k.cache)
	}
	return k, nil
}

// Do calls fn with the state of a lane, restored if the lane is new to this
// process or was assigned to it anew. A cache that does not answer is asked
// again until it does or ctx ends: to go on without what was learned would be to
// go blind.
func (k *Keeper[S]) Do(ctx context.Context, lane carry.Lane, fn func(state S)) error {
	e := k.entry(lane)
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.ready {
		state, err := k.restore(ctx, lane.Name)
		if err != nil {
			return err
		}
		e.state, e.ready, e.saved = state, true, k.now()
	}
	// Before fn, because a lane brings its next batch only when the last one was
	// stored: what is saved is of batches that will not come again.
	if k.cache != "" && e.dirty && k.now().Sub(e.saved) >= k.interval && saving.TryLock() {
		err := k.save(ctx, lane.Name, e)
		saving.Unlock()
		if err != nil {
			k.res.Logger().Warnf("%v; trying again in %s", err, k.interval)
		}
	}
	fn(e.state)
	e.dirty = true
	return nil
}

// entry finds what is kept of a lane, or begins it.
func (k *Keeper[S]) entry(lane carry.Lane) *entry[S] {
	k.mu.Lock()
	e := k.lanes[lane.Name]
	known := e != nil && e.epoch == lane.Epoch
	if !known {
		e = &entry[S]{epoch: lane.Epoch}
		k.lanes[lane.Name] = e
	}
	k.mu.Unlock()
	if !known {
		lane.AtEnd(func(ctx context.Context, settled bool) { k.end(ctx, lane.Name, e, settled) })
	}
	return e
}

// Ender is a state that wants to know that its lane has gone to another process, or will.
type Ender interface{ End() }

// end forgets the state of a lane. It is saved if the lane is settled; else it is not for
// others, nor to be waited for while a batch is under way.
func (k *Keeper[S]) end(ctx context.Context, lane string, e *entry[S], settled bool) {
	k.mu.Lock()
	if k.lanes[lane] == e {
		delete(k.lanes, lane)
	}
	k.mu.Unlock()
	if settled {
		e.mu.Lock()
	} else if !e.mu.TryLock() {
		return
	}
	defer e.mu.Unlock()
	if !e.ready {
		return
	}
	if k.cache != "" && e.dirty && settled {
		if err := k.save(ctx, lane, e); err != nil {
			k.res.Logger().Warnf("%v; whoever reads %s next goes on with what was saved before", err, lane)
		}
	}
	if ender, ok := any(e.state).(Ender); ok {
		ender.End()
	}
}

// closeTimeout bounds the saving at shutdown, for which the host sets no limit.
const closeTimeout = 5 * time.Second

// Close saves what was learned since it was last saved from lanes that have not ended.
func (k *Keeper[S]) Close(ctx context.Context) error {
	if k.cache == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, closeTimeout)
	defer cancel()
	k.mu.Lock()
	defer k.mu.Unlock()
	var errs []error
	for name, e := range k.lanes {
		e.mu.Lock()
		if e.ready && e.dirty {
			errs = append(errs, k.save(ctx, name, e))
		}
		e.mu.Unlock()
	}
	return errors.Join(errs...)
}

func (k *Keeper[S]) cacheKey(lane string) string {
	if lane == "" {
		return k.key
	}
	return k.key + "/" + lane
}

func (k *Keeper[S]) restore(ctx context.Context, lane string) (S, error) {
	state := k.fresh(lane)
	if k.cache == "" {
		return state, nil
	}
	data, err := k.load(ctx, k.cacheKey(lane))
	if err != nil || data == nil {
		return state, err
	}
	if err := state.UnmarshalBinary(data); err != nil {
		k.res.Logger().Warnf("restoring %q from cache %q: %v; learning anew", k.cacheKey(lane), k.cache, err)
		return k.fresh(lane), nil
	}
	return state, nil
}

func (k *Keeper[S]) load(ctx context.Context, key string) (data []byte, err error) {
	const most = 5 * time.Second
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, most) {
		accessErr := k.res.AccessCache(ctx, k.cache, func(c service.Cache) { data, err = c.Get(ctx, key) })
		if err = errors.Join(accessErr, err); err == nil {
			return data, nil
		}
		if errors.Is(err, service.ErrKeyNotFound) {
			return nil, nil
		}
		k.res.Logger().Warnf("loading %q from cache %q: %v; trying again in %s", key, k.cache, err, wait)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, fmt.Errorf("loading %q from cache %q: %w", key, k.cache, ctx.Err())
		}
	}
}

func (k *Keeper[S]) save(ctx context.Context, lane string, e *entry[S]) error {
	key := k.cacheKey(lane)
	// States grow slowly, so this one hardly ever has to be moved while it is written.
	data, err := e.state.AppendBinary(make([]byte, 0, e.size+e.size/8))
	if err == nil {
		e.size = len(data)
		accessErr := k.res.AccessCache(ctx, k.cache, func(c service.Cache) { err = c.Set(ctx, key, data, nil) })
		err = errors.Join(accessErr, err)
	}
	e.saved = k.now()
	if err != nil {
		return fmt.Errorf("saving %q to cache %q: %w", key, k.cache, err)
	}
	e.dirty = false
	return nil
}
