package detect

import "github.com/redpanda-data/benthos/v4/public/service"

// Scorer is a state that says of each reading how unusual it is, also of those that
// it does not report.
type Scorer interface {
	// Score is that of the reading that was judged last, from 0 to 1, by the measure of
	// the detector that strengths have too.
	Score() float64
}

// Scale is what every detector says of its scores, as a section of its description. What
// the strength is follows it.
const Scale = `
== Score and severity

The ` + "`anomaly_score`" + ` says how rare such a report is, on one scale for all detectors: n/(n + 3) if one in 10ⁿ readings is reported as strongly, so 0.5 is once in a thousand readings and 0.67 once in a million. That is counted in the last 1,000 reports of the detector and all readings of their time, in each lane (a Kafka partition), as if 1,000 readings had gone before the first; see the package internal/calibrate. What goes on counts once. So a first report has somewhat more than 0.5, a detector that reports often has less, and one that is quiet for long has more.

The ` + "`severity`" + ` says how much is wrong: it is low for a strength below 0.5, medium below 0.7, high below 0.9, and critical from there on. `

const fieldScores = "emit_scores"

// ScoreField is the configuration of whether readings get their scores. Only
// components whose state is a [Scorer] have it.
func ScoreField(component string) *service.ConfigField {
	return service.NewBoolField(fieldScores).Default(false).Advanced().
		Description("Whether to put the strength of every reading, from 0 to 1, into its metadata `" + scoreKey(component) + "`, so that a pipeline can evaluate the detector: that which its anomaly has or would have. It is not the `anomaly_score`, which says how rare that is. Strengths of what belongs to an event that was reported are made small, so that those from a threshold on are the anomalies.")
}

func scoreKey(component string) string { return "buildmon_" + component + "_score" }

// ScoresAsked tells whether somebody asks for the scores of all readings.
func ScoresAsked(conf *service.ParsedConfig) (bool, error) {
	if !conf.Contains(fieldScores) {
		return false, nil
	}
	return conf.FieldBool(fieldScores)
}

// scoreKeyIfAsked is the metadata key of the scores, or empty if nobody asks for them.
func scoreKeyIfAsked(component string, conf *service.ParsedConfig) (string, error) {
	if asked, err := ScoresAsked(conf); err != nil || !asked {
		return "", err
	}
	return scoreKey(component), nil
}
