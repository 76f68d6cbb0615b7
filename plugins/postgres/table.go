package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/redpanda-data/benthos/v4/public/bloblang"
	"github.com/redpanda-data/benthos/v4/public/service"

	"buildmon/internal/reading"
	"buildmon/internal/store"
	"buildmon/plugins/internal/carry"
)

const (
	fieldTable   = "table"
	fieldColumns = "columns"
)

// ownTable maps messages to rows of a table of the user's own.
type ownTable struct {
	name    []string
	columns *bloblang.Executor
}

func ownTableFromConfig(conf *service.ParsedConfig) (*ownTable, error) {
	name, err := conf.FieldString(fieldTable)
	if err != nil {
		return nil, err
	}
	mapped := conf.Contains(fieldColumns)
	switch {
	case name == "" && !mapped:
		return nil, nil
	case name == "":
		return nil, fmt.Errorf("columns needs table, the name of a table of your own")
	case !mapped:
		return nil, fmt.Errorf("table %q needs columns, a mapping to the columns of the table", name)
	}
	t := &ownTable{name: strings.Split(name, ".")}
	if len(t.name) > 2 || slices.Contains(t.name, "") {
		return nil, fmt.Errorf("table is %q, want table or schema.table", name)
	}
	t.columns, err = conf.FieldBloblang(fieldColumns)
	return t, err
}

// mappingFailed is the reason for messages that cannot be mapped to a row.
const mappingFailed reading.Reason = "mapping_failed"

// writeRows maps messages to rows. Rows of one batch may name different columns;
// each set of columns is one statement and one transaction, in the order in
// which they first appear, and dead letters go with the last.
func (o *output) writeRows(ctx context.Context, s *store.Store, batch service.MessageBatch) error {
	var order []string
	groups := map[string][]store.Row{}
	var letters []store.DeadLetter
	mapping := batch.BloblangExecutor(o.table.columns)
	for i, msg := range batch {
		if kind, _ := msg.MetaGet(carry.MetaKind); kind == carry.KindTick {
			o.ticks.Incr(1)
			continue
		}
		row, columns, err := mappedRow(mapping, i, msg)
		switch {
		case err != nil:
			letter := letterOf(msg, err)
			letters = append(letters, letter)
			continue
		case row == nil:
			continue
		}
		key := strings.Join(columns, "\x00")
		if _, ok := groups[key]; !ok {
			order = append(order, key)
		}
		groups[key] = append(groups[key], store.Row{Object: row, Letter: letterOf(msg, nil)})
	}
	if len(order) == 0 {
		if len(letters) == 0 {
			return nil
		}
		order = append(order, "")
	}
	for i, key := range order {
		var with []store.DeadLetter
		if i == len(order)-1 {
			with = letters
		}
		table := store.Table{Name: o.table.name, Columns: strings.Split(key, "\x00")}
		refused, err := s.WriteRows(ctx, table, groups[key], with)
		if err != nil {
			return err
		}
		o.stored.Incr(int64(len(groups[key]) - len(refused)))
		o.countLetters(refused, with)
	}
	return nil
}

// mappedRow maps one message; it is nil if the mapping leaves the message out.
func mappedRow(mapping *service.MessageBatchBloblangExecutor, i int, msg *service.Message) (row json.RawMessage, columns []string, err error) {
	if err := msg.GetError(); err != nil {
		return nil, nil, err
	}
	mapped, err := mapping.Query(i)
	if err != nil {
		return nil, nil, &reading.Error{Reason: mappingFailed, Detail: err.Error()}
	}
	if mapped == nil {
		return nil, nil, nil
	}
	value, err := mapped.AsStructured()
	if err != nil {
		return nil, nil, &reading.Error{Reason: mappingFailed, Detail: err.Error()}
	}
	object, ok := value.(map[string]any)
	if !ok || len(object) == 0 {
		return nil, nil, &reading.Error{Reason: mappingFailed, Detail: fmt.Sprintf("columns gave %T, want an object with a member for each column", value)}
	}
	row, err = mapped.AsBytes()
	return row, slices.Sorted(maps.Keys(object)), err
}
