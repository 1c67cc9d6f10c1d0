"""The fifteen weeks: what each contains and how its days are spent.

Weeks are numbered by the calendar of path 1; other paths keep these numbers and reorder. Whether a week's lab exists is
for the folder of labs to say, not for this table.
"""

from __future__ import annotations

from dataclasses import dataclass

from labsupport.course.catalog.projects import PROJECTS

INTRODUCTION = 0  # the one week that belongs to no project


@dataclass(frozen=True)
class DayBlock:
    """Some days of a week and their subject; the guide names no days for whole project weeks."""

    subject: str
    first_day: int | None = None
    last_day: int | None = None
    project_week: str = ""
    """The week in the project's own count ("3", "1-2"), where it differs from the place in the calendar."""

    @property
    def when(self) -> str:
        """The days, and the project's own week if it has one, in words."""
        days = ""
        if self.first_day is not None:
            days = (
                f"day {self.first_day}" if self.first_day == self.last_day else f"days {self.first_day}-{self.last_day}"
            )
        week = f"project week {self.project_week}" if self.project_week else ""
        return ", ".join(text for text in (week, days) if text)


@dataclass(frozen=True)
class Week:
    """One week: `plan` is the day plan of path 1, `project_guide` the days of the project's own guide.

    `needs` names binaries that part of the lab uses when they are there. None stops a lab: `labs doctor` says what
    takes their place.
    """

    number: int
    title: str
    project: str | None
    subjects: tuple[str, ...]
    plan: tuple[DayBlock, ...]
    project_guide: tuple[DayBlock, ...] = ()
    needs: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name of its notebook, without ending: week01."""
        return f"week{self.number:02d}"

    @property
    def hours(self) -> float | None:
        """Its even share of the project's quoted hours; None for the introduction, which the guide gives no hours."""
        return next((project.hours_per_week for project in PROJECTS if project.id == self.project), None)


def _days(first: int, last: int, subject: str, project_week: str = "") -> DayBlock:
    return DayBlock(subject, first, last, project_week)


WEEKS = (
    Week(
        number=INTRODUCTION,
        title="Self-assessment and environment",
        project=None,
        subjects=(
            "self-assessment",
            "environment",
            "choice of a path",
            "progress",
            "audit of a benchmark report",
        ),
        plan=(
            DayBlock("self-assessment"),
            DayBlock("cluster, cloud or local"),
            DayBlock("tools"),
            DayBlock("clone"),
            DayBlock("README of project 201"),
            DayBlock("choice of a path"),
            DayBlock("progress tracking"),
        ),
        needs=("kubectl",),
    ),
    Week(
        number=1,
        title="Ray and architecture",
        project="201",
        subjects=("Ray", "basic and scaled training"),
        plan=(
            _days(1, 2, "read guide"),
            _days(3, 4, "Ray cluster on Kubernetes"),
            _days(5, 7, "basic distributed training"),
        ),
        project_guide=(_days(1, 2, "environment"), _days(3, 4, "basic training"), _days(5, 7, "multi-GPU")),
    ),
    Week(
        number=2,
        title="DDP and NCCL",
        project="201",
        subjects=("data loading", "NCCL", "scaling", "fault tolerance"),
        plan=(
            _days(1, 3, "distributed data loading"),
            _days(4, 5, "NCCL tuning and benchmarks"),
            _days(6, 7, "fault tolerance"),
        ),
        project_guide=(_days(1, 3, "NCCL tuning"), _days(4, 5, "scaling benchmarks"), _days(6, 7, "fault tolerance")),
    ),
    Week(
        number=3,
        title="Tune, MLflow, production",
        project="201",
        subjects=("Tune", "MLflow", "monitoring", "validation"),
        plan=(
            _days(1, 3, "hyperparameter search"),
            _days(4, 5, "scaling benchmarks"),
            _days(6, 7, "production deployment"),
        ),
        project_guide=(
            _days(1, 3, "hyperparameter search"),
            _days(4, 5, "production deployment"),
            _days(6, 7, "final validation"),
        ),
        needs=("prometheus",),
    ),
    Week(
        number=4,
        title="TensorRT",
        project="202",
        subjects=("engines", "INT8", "benchmark"),
        plan=(
            _days(1, 3, "conversion pipeline"),
            _days(4, 5, "FP16 and INT8"),
            _days(6, 7, "speed-up benchmark"),
        ),
        project_guide=(_days(1, 3, "conversion"), _days(4, 5, "INT8 calibration"), _days(6, 7, "benchmark")),
    ),
    Week(
        number=5,
        title="vLLM",
        project="202",
        subjects=("LLM serving", "batching", "streaming"),
        plan=(
            _days(1, 3, "setup and configuration"),
            _days(4, 5, "continuous batching, streaming"),
            _days(6, 7, "LLM benchmark"),
        ),
        project_guide=(_days(1, 3, "setup"), _days(4, 5, "streaming and batching")),
    ),
    Week(
        number=6,
        title="Multi-model API and A/B tests",
        project="202",
        subjects=("gateway", "A/B", "load"),
        plan=(_days(1, 3, "FastAPI routing"), _days(4, 5, "A/B testing"), _days(6, 7, "load test")),
        project_guide=(_days(1, 3, "multi-model FastAPI", project_week="3-4"),),
        needs=("k6",),
    ),
    Week(
        number=7,
        title="Autoscaling and tracing",
        project="202",
        subjects=("HPA", "tracing", "deployment"),
        plan=(_days(1, 3, "HPA on GPU metrics"), _days(4, 5, "Jaeger"), _days(6, 7, "production deployment")),
        project_guide=(
            _days(4, 5, "autoscaling", project_week="3-4"),
            _days(6, 7, "tracing", project_week="3-4"),
        ),
        needs=("k6",),
    ),
    Week(
        number=8,
        title="Terraform",
        project="203",
        subjects=("Terraform", "regions", "apps"),
        plan=(
            _days(1, 3, "module design"),
            _days(4, 5, "deploy US-EAST"),
            _days(6, 7, "deploy EU-WEST and AP-SOUTH"),
        ),
        project_guide=(
            DayBlock("Terraform", project_week="1"),
            DayBlock("per-region applications", project_week="2"),
        ),
        needs=("terraform",),
    ),
    Week(
        number=9,
        title="Network and replication",
        project="203",
        subjects=("network", "replication", "global routing"),
        plan=(
            _days(1, 3, "VPC peering, VPN"),
            _days(4, 5, "S3 cross-region replication"),
            _days(6, 7, "global load balancer"),
        ),
        project_guide=(_days(1, 3, "replication", project_week="3"),),
        needs=("haproxy",),
    ),
    Week(
        number=10,
        title="Failover",
        project="203",
        subjects=("failover", "chaos", "recovery drills"),
        plan=(_days(1, 3, "automated failover"), _days(4, 5, "chaos tests"), _days(6, 7, "disaster-recovery drills")),
        project_guide=(_days(4, 7, "failover tests", project_week="3"),),
        needs=("haproxy",),
    ),
    Week(
        number=11,
        title="Monitoring and optimisation",
        project="203",
        subjects=("federation", "cost", "tuning"),
        plan=(_days(1, 3, "Prometheus federation"), _days(4, 5, "cost analysis"), _days(6, 7, "performance tuning")),
        project_guide=(_days(1, 3, "monitoring", project_week="4"), _days(4, 7, "cost", project_week="4")),
        needs=("prometheus", "terraform"),
    ),
    Week(
        number=12,
        title="CRD and controller",
        project="204",
        subjects=("CRD", "controller", "builders"),
        plan=(
            _days(1, 2, "Kopf"),
            _days(3, 4, "TrainingJob CRD"),
            _days(5, 6, "controller"),
            _days(7, 7, "resource builders (Job, Service, ConfigMap)"),
        ),
        project_guide=(DayBlock("CRD and controller", project_week="1"),),
        needs=("kubectl",),
    ),
    Week(
        number=13,
        title="Status and tests",
        project="204",
        subjects=("status", "metrics", "checkpoints", "tests"),
        plan=(
            _days(1, 2, "status controller and metrics"),
            _days(3, 4, "checkpoint management"),
            _days(5, 6, "thorough testing"),
            _days(7, 7, "integration tests"),
        ),
        project_guide=(DayBlock("testing and features", project_week="2"),),
        needs=("kubectl",),
    ),
    Week(
        number=14,
        title="Production",
        project="204",
        subjects=("RBAC", "deployment", "E2E", "documentation", "portfolio"),
        plan=(
            _days(1, 2, "RBAC and security"),
            _days(3, 4, "production deployment"),
            _days(5, 6, "E2E tests and validation"),
            _days(7, 7, "documentation and wrap-up"),
        ),
        project_guide=(
            _days(1, 3, "RBAC and security", project_week="3"),
            _days(4, 7, "E2E", project_week="3"),
        ),
        needs=("kubectl",),
    ),
)
