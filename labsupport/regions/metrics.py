"""What project 203 measures: regions, replication, failover and cost."""

from __future__ import annotations

from labsupport.receipts.domain import COUNT, NOT_NEGATIVE, POSITIVE, SHARE, Domain
from labsupport.receipts.metric import Metric

OPERATIONAL_REGIONS = Metric("regions.operational_regions", "regions", COUNT, "regions that answer a smoke request")
DRIFTED_RESOURCES = Metric(
    "regions.drifted_resources", "resources", COUNT, "resources that a second plan of the applied state would change"
)
AVAILABILITY = Metric("regions.availability", "fraction", SHARE, "share of time with good answers", "availability")
FAILOVER_S = Metric(
    "regions.failover_s", "s", POSITIVE, "time from the fault to the first good answer that a client sees", "failover_s"
)
FAILOVER_MAX_S = Metric(
    "regions.failover_max_s", "s", POSITIVE, "slowest failover that the cloud's settings allow", "failover_max_s"
)
LAG_MAX_S = Metric("regions.lag_max_s", "s", POSITIVE, "largest replication lag of an object", "lag_max_s")
LOST_OBJECTS = Metric("regions.lost_objects", "objects", COUNT, "objects that never arrived")
SAVING = Metric(
    "regions.saving", "fraction", Domain(at_most=1), "1 - new cost / old cost, at equal delivered work", "saving"
)
DELIVERED_WORK = Metric("regions.delivered_work", "x", NOT_NEGATIVE, "work delivered / work delivered before")
