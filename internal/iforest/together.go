package iforest

const (
	// part is how many points are scored together: their rows and a tree fit into the
	// fastest cache.
	part = 64

	// side is how many of them are walked through a tree side by side, and fewest how
	// many are worth it: less are walked through four trees at a time, as one is.
	side   = 8
	fewest = 3
)

// together scores many points by one forest. It goes from tree to tree and through each
// with all points, where [Forest.Glance] goes through all trees with each point: so a
// tree is read once, and the steps of several points do not wait for each other. The
// scores are the same.
type together struct {
	rows    [part*narrow + beyond]key
	lengths [part]float64 // of paths so far
	places  [part]int     // of the points in what was asked
}

// beyond is how many keys after its own the row of a point must have in memory, so that
// the lowest byte of any split is a place there.
const beyond = 256 - narrow

// rowsOf are those of points side by side.
type rowsOf [side*narrow + beyond]key

// glances fills scores with what [Forest.Glance] says of each point.
func glances[T Value](w *together, f *Forest, points [][]T, usual float64, scores []float64) {
	if f.norm == 0 || f.features > narrow {
		for i, p := range points {
			scores[i] = glanceOf(f, p, usual)
		}
		return
	}
	for len(points) > 0 {
		n := min(part, len(points))
		for i, p := range points[:n] {
			rowOf(f, w.rows[i*narrow:][:0], p)
			w.lengths[i], w.places[i] = 0, i
		}
		w.score(f, n, usual, scores)
		points, scores = points[n:], scores[n:]
	}
}

func (w *together) score(f *Forest, n int, usual float64, scores []float64) {
	walked := 0
	if some := f.trees / 4; usual > 0 && some > 0 {
		w.walk(f, n, 0, some)
		all := n
		n, walked = 0, some
		for i := range all {
			scores[i] = f.scoreOf(w.lengths[i], some)
			if scores[i] <= usual {
				continue
			}
			copy(w.rows[n*narrow:], w.rows[i*narrow:][:f.features])
			w.lengths[n], w.places[n] = w.lengths[i], i
			n++
		}
	}
	w.walk(f, n, walked, f.trees)
	for i, place := range w.places[:n] {
		scores[place] = f.scoreOf(w.lengths[i], f.trees)
	}
}

// walk adds to the lengths of the first n points the depths at which they end in the
// trees from one to before another.
func (w *together) walk(f *Forest, n, from, to int) {
	blocks := (n + side - fewest) / side // rows beyond n are walked for nothing
	for t := from; t < to; t++ {
		s, l := f.splitsOf(t), f.leavesOf(t)
		for b := range blocks {
			walkSide(s, l, f.paths, f.depth, (*rowsOf)(w.rows[b*side*narrow:]), (*[side]float64)(w.lengths[b*side:]))
		}
	}
	for i := blocks * side; i < n; i++ {
		w.lengths[i] = f.walk((*[narrow]key)(w.rows[i*narrow:]), w.lengths[i], from, to)
	}
}

// walkSide adds to the lengths of points side by side the depths at which they end in
// one tree. It is written out because a loop would keep places in memory.
func walkSide(splits []split, leaves []uint16, paths []float64, depth int, rows *rowsOf, lengths *[side]float64) {
	i0, i1, i2, i3 := uint64(1), uint64(1), uint64(1), uint64(1)
	i4, i5, i6, i7 := uint64(1), uint64(1), uint64(1), uint64(1)
	for range depth {
		i0 = rows.next(0, splits[i0], i0)
		i1 = rows.next(1, splits[i1], i1)
		i2 = rows.next(2, splits[i2], i2)
		i3 = rows.next(3, splits[i3], i3)
		i4 = rows.next(4, splits[i4], i4)
		i5 = rows.next(5, splits[i5], i5)
		i6 = rows.next(6, splits[i6], i6)
		i7 = rows.next(7, splits[i7], i7)
	}
	n := uint64(len(splits))
	lengths[0] += paths[leaves[i0-n]]
	lengths[1] += paths[leaves[i1-n]]
	lengths[2] += paths[leaves[i2-n]]
	lengths[3] += paths[leaves[i3-n]]
	lengths[4] += paths[leaves[i4-n]]
	lengths[5] += paths[leaves[i5-n]]
	lengths[6] += paths[leaves[i6-n]]
	lengths[7] += paths[leaves[i7-n]]
}

// next is the child of split i that the point of a row goes to. The lowest byte is all
// of the feature where points are narrow.
func (r *rowsOf) next(row int, s split, i uint64) uint64 {
	return next(s, r[row*narrow+int(uint8(s))], i)
}
