#!/usr/bin/env bash
# Starts and stops one Apache Kafka broker for tests.
#
#   .ci/kafka.sh start DIR    prints the address of the broker when it is ready
#   .ci/kafka.sh stop DIR
#   .ci/kafka.sh restart DIR  on the same data and ports
#   .ci/kafka.sh crash DIR    the same, but ends the broker with kill -9
#
# DIR keeps the jars, which are resolved once with Maven, and the data, which
# begins empty at each start. DIR/env can be sourced: it sets
#
#   BUILDMON_TEST_KAFKA        the plain listener
#   BUILDMON_TEST_KAFKA_SASL   a listener that wants user "buildmon" with password
#                              "secret", by PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512
#   BUILDMON_TEST_KAFKA_TLS    the same through TLS
#   BUILDMON_TEST_KAFKA_CA     a file with the certificate that TLS listener has
#   BUILDMON_TEST_KAFKA_PROXIED  where a proxy should connect to, if
#                              BUILDMON_KAFKA_PROXY was set to the address at
#                              which clients of the proxy find it
#
# Needs Java 17 or later, and Maven for the first start. Topics are not created
# by themselves; those created without a number of partitions have 3.
set -euo pipefail

usage() {
	awk 'NR > 1 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "$0" >&2
	exit 64
}

here=$(cd "$(dirname "$0")" && pwd)

# free_port prints a port of the loopback interface on which nobody listens.
free_port() {
	local port
	while :; do
		port=$((20000 + RANDOM % 12000))
		if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && [[ " $taken " != *" $port "* ]]; then
			echo "$port"
			return
		fi
	done
}

resolve_jars() {
	if [[ -e $dir/jars/.complete && $dir/jars/.complete -nt $here/kafka/pom.xml ]]; then
		return
	fi
	rm -rf "$dir/jars"
	mvn -q -B -Dstyle.color=never -f "$here/kafka/pom.xml" dependency:copy-dependencies "-Djars=$dir/jars" >&2
	touch "$dir/jars/.complete"
}

configure() {
	taken=""
	plain=$(free_port)
	taken+=" $plain"
	sasl=$(free_port)
	taken+=" $sasl"
	tls=$(free_port)
	taken+=" $tls"
	controller=$(free_port)
	taken+=" $controller"
	proxied=$(free_port)

	rm -f "$dir/tls.p12"
	keytool -genkeypair -alias broker -keyalg EC -dname CN=broker -ext san=ip:127.0.0.1 -validity 2 \
		-storetype PKCS12 -keystore "$dir/tls.p12" -storepass "$store_password" 2>"$dir/keytool.log"
	keytool -exportcert -rfc -alias broker -keystore "$dir/tls.p12" -storepass "$store_password" >"$dir/ca.pem" 2>>"$dir/keytool.log"

	cat >"$dir/server.properties" <<-END
		process.roles=broker,controller
		node.id=1
		controller.quorum.voters=1@127.0.0.1:$controller
		controller.listener.names=CONTROLLER
		listeners=PLAIN://127.0.0.1:$plain,SASL://127.0.0.1:$sasl,TLS://127.0.0.1:$tls,PROXIED://127.0.0.1:$proxied,CONTROLLER://127.0.0.1:$controller
		advertised.listeners=PLAIN://127.0.0.1:$plain,SASL://127.0.0.1:$sasl,TLS://127.0.0.1:$tls,PROXIED://${BUILDMON_KAFKA_PROXY:-127.0.0.1:$proxied}
		listener.security.protocol.map=PLAIN:PLAINTEXT,SASL:SASL_PLAINTEXT,TLS:SASL_SSL,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT
		inter.broker.listener.name=PLAIN
		sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
		listener.name.sasl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_buildmon="secret";
		listener.name.sasl.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
		listener.name.sasl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
		listener.name.tls.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_buildmon="secret";
		listener.name.tls.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
		listener.name.tls.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
		ssl.keystore.type=PKCS12
		ssl.keystore.location=$dir/tls.p12
		ssl.keystore.password=$store_password
		log.dirs=$dir/data
		broker.session.timeout.ms=3000
		broker.heartbeat.interval.ms=500
		num.partitions=3
		auto.create.topics.enable=false
		group.initial.rebalance.delay.ms=0
		offsets.topic.replication.factor=1
		offsets.topic.num.partitions=1
		transaction.state.log.replication.factor=1
		transaction.state.log.min.isr=1
		transaction.state.log.num.partitions=1
		share.coordinator.state.topic.replication.factor=1
		share.coordinator.state.topic.min.isr=1
	END

	cat >"$dir/log4j2.properties" <<-END
		rootLogger.level = info
		rootLogger.appenderRef.console.ref = console
		appender.console.type = Console
		appender.console.name = console
		appender.console.layout.type = PatternLayout
		appender.console.layout.pattern = %d %p %c{1} %m%n
	END
}

start() {
	if running; then
		echo "a broker runs in $dir already" >&2
		exit 1
	fi
	resolve_jars
	rm -rf "$dir/data" "$dir/env"
	configure
	"${java[@]}" kafka.tools.StorageTool format --config "$dir/server.properties" \
		--cluster-id "$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | tr -d '=')" \
		--add-scram 'SCRAM-SHA-256=[name=buildmon,password=secret]' \
		--add-scram 'SCRAM-SHA-512=[name=buildmon,password=secret]' \
		>"$dir/format.log" 2>&1 || { cat "$dir/format.log" >&2; exit 1; }
	launch
	{
		echo "export BUILDMON_TEST_KAFKA=127.0.0.1:$plain"
		echo "export BUILDMON_TEST_KAFKA_SASL=127.0.0.1:$sasl"
		echo "export BUILDMON_TEST_KAFKA_TLS=127.0.0.1:$tls"
		echo "export BUILDMON_TEST_KAFKA_CA=$dir/ca.pem"
		if [[ -n ${BUILDMON_KAFKA_PROXY:-} ]]; then
			echo "export BUILDMON_TEST_KAFKA_PROXIED=127.0.0.1:$proxied"
		fi
	} >"$dir/env"
	echo "127.0.0.1:$plain"
}

# launch starts the broker on what is in DIR and returns when it answers.
launch() {
	rm -f "$dir/broker.log"
	# A subshell of its own with closed outputs, so that whoever reads what this
	# script prints does not wait for the broker to end.
	(
		exec >"$dir/broker.log" 2>&1 </dev/null
		exec "${java[@]}" kafka.Kafka "$dir/server.properties"
	) &
	echo $! >"$dir/pid"
	disown

	for _ in $(seq 600); do
		if grep -q 'Kafka Server started' "$dir/broker.log" 2>/dev/null; then
			return
		fi
		running || break
		sleep 0.1
	done
	tail -n 40 "$dir/broker.log" >&2
	stop
	exit 1
}

running() {
	[[ -e $dir/pid ]] && kill -0 "$(<"$dir/pid")" 2>/dev/null
}

stop() {
	[[ -e $dir/pid ]] || return 0
	local pid
	pid=$(<"$dir/pid")
	kill "$pid" 2>/dev/null || true
	for _ in $(seq 200); do
		running || break
		sleep 0.1
	done
	kill -9 "$pid" 2>/dev/null || true
	rm -f "$dir/pid"
}

restart() {
	"$1"
	launch
}

crash() {
	kill -9 "$(<"$dir/pid")"
	while running; do sleep 0.1; done
	rm -f "$dir/pid"
}

[[ $# -eq 2 ]] || usage
mkdir -p "$2"
dir=$(cd "$2" && pwd)
store_password=not-a-secret # of a key that lives as long as the broker
java=(java -Xms128m -Xmx512m "-Dlog4j2.configurationFile=$dir/log4j2.properties" -cp "$dir/jars/*")
case $1 in
start) start ;;
stop) stop ;;
restart) restart stop ;;
crash) restart crash ;;
*) usage ;;
esac
