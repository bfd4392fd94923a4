from .evaluation import check_expression as check_expression
from .evaluation import evaluate as evaluate
