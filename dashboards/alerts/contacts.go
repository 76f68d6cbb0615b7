package alerts

// receiver is the contact point of the files below.
const receiver = "buildmon"

// ContactPoints are ways to tell people. Each takes where to from the environment of
// Grafana; delete those that are not wanted, as Grafana refuses one without address.
func ContactPoints() File {
	return File{APIVersion: 1, ContactPoints: []ContactPoint{{OrgID: 1, Name: receiver, Receivers: []Receiver{
		{UID: "buildmon-email", Type: "email", Settings: map[string]any{"addresses": "$BUILDMON_ALERT_EMAIL", "singleEmail": true}},
		{UID: "buildmon-slack", Type: "slack", Settings: map[string]any{"url": "$BUILDMON_ALERT_SLACK_URL"}},
		{UID: "buildmon-webhook", Type: "webhook", Settings: map[string]any{"url": "$BUILDMON_ALERT_WEBHOOK_URL", "httpMethod": "POST", "maxAlerts": "50"}},
	}}}}
}

// Policies send everything to the contact point: one message for each building and
// rule, at once if it is critical.
func Policies() File {
	return File{APIVersion: 1, Policies: []Policy{{
		OrgID: 1, Receiver: receiver, GroupBy: []string{"building", "alertname"},
		GroupWait: "30s", GroupInterval: "5m", RepeatInterval: "12h",
		Routes: []Policy{{
			Receiver: receiver, ObjectMatchers: [][]string{{"severity", "=", "critical"}},
			GroupWait: "0s", GroupInterval: "1m", RepeatInterval: "4h",
		}},
	}}}
}
